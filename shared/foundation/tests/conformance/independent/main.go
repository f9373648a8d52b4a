// Command independent speaks the C2SP formats through implementations that are not ours: golang.org/x/mod/sumdb (notes, trees, tiles),
// transparency-dev/formats (cosignatures, policies, proof files), transparency-dev/merkle (proofs), tessera (layout, bundles, whole logs).
//
// `independent vectors` prints the golden vectors. `independent` answers questions: one JSON object a line in, one a line out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "vectors" {
		out := json.NewEncoder(os.Stdout)
		out.SetEscapeHTML(false)
		out.SetIndent("", " ")
		must(out.Encode(vectors()))
		return
	}
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var q question
		must(json.Unmarshal(line, &q))
		must(out.Encode(answer(q)))
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func get[T any](value T, err error) T {
	must(err)
	return value
}
