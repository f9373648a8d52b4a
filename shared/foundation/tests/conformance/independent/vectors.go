package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"filippo.io/mldsa"
	fnote "github.com/transparency-dev/formats/note"
	fproof "github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "union.example/370911/assistance"

type noteVector struct {
	About    string   `json:"about"`
	Note     string   `json:"note"`
	Keys     []string `json:"keys"`
	Verified []string `json:"verified"`
}

type keyVector struct {
	Name     string `json:"name"`
	Type     int    `json:"type"`
	Seed     string `json:"seed"`
	Verifier string `json:"verifier"`
}

type growthVector struct {
	Old   int64    `json:"old"`
	Size  int64    `json:"size"`
	Tiles []string `json:"tiles"` // path without x/mod's height, and the hash of what is in it
}

type proofVector struct {
	Index int64    `json:"index"` // of the leaf, or the size of the older tree
	Size  int64    `json:"size"`
	Proof []string `json:"proof"`
}

type vectorFile struct {
	About       string         `json:"about"`
	Keys        []keyVector    `json:"keys"`
	Notes       []noteVector   `json:"notes"`
	Roots       []string       `json:"roots"` // "size root", of trees over the records "record 0", "record 1", …
	Growths     []growthVector `json:"growths"`
	Inclusion   []proofVector  `json:"inclusion"`
	Consistency []proofVector  `json:"consistency"`
	ProofFiles  []string       `json:"proof_files"`
}

var sizes = []int64{0, 1, 2, 3, 4, 5, 7, 8, 31, 255, 256, 257, 511, 512, 513, 1000, 65535, 65536, 65537, 70000}

func vectors() vectorFile {
	file := vectorFile{About: "Made by the Go program in independent/; not to be edited."}
	log := key(origin, 1, 1)
	oldLog := key(origin, 1, 2)
	witness := key("witness.example/w1", 4, 3)
	other := key("另一个见证人", 4, 4)
	file.Keys = []keyVector{log, oldLog, witness, other}

	hashes := grow(70000)
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			found[i] = hashes[index]
		}
		return found, nil
	})
	for _, size := range sizes {
		file.Roots = append(file.Roots, fmt.Sprintf("%d %v", size, get(tlog.TreeHash(size, reader))))
	}
	for _, step := range [][2]int64{{0, 1}, {0, 256}, {255, 256}, {255, 257}, {256, 256}, {256, 512}, {300, 70000}, {65535, 65536}, {69888, 70000}, {69999, 70000}} {
		growth := growthVector{Old: step[0], Size: step[1], Tiles: []string{}}
		for _, tile := range tlog.NewTiles(8, step[0], step[1]) {
			data := get(tlog.ReadTileData(tile, reader))
			sum := sha256.Sum256(data)
			growth.Tiles = append(growth.Tiles, "tile/"+tile.Path()[len("tile/8/"):]+" "+hex.EncodeToString(sum[:8]))
		}
		file.Growths = append(file.Growths, growth)
	}
	for _, at := range [][2]int64{{0, 1}, {0, 2}, {1, 2}, {2, 3}, {6, 7}, {0, 70000}, {255, 70000}, {256, 70000}, {65535, 65536}, {65536, 65537}, {69999, 70000}, {12345, 70000}, {400, 513}} {
		file.Inclusion = append(file.Inclusion, proofVector{at[0], at[1], texts(get(tlog.ProveRecord(at[1], at[0], reader)))})
	}
	for _, at := range [][2]int64{{1, 1}, {1, 2}, {2, 3}, {3, 4}, {3, 7}, {4, 7}, {6, 7}, {255, 256}, {256, 257}, {300, 70000}, {65535, 65536}, {65536, 70000}, {69999, 70000}, {70000, 70000}} {
		file.Consistency = append(file.Consistency, proofVector{at[0], at[1], texts(get(tlog.ProveTree(at[1], at[0], reader)))})
	}

	for _, size := range []int64{0, 1, 70000} {
		body := fmt.Sprintf("%s\n%d\n%v\n", origin, size, get(tlog.TreeHash(size, reader)))
		signed := string(get(note.Sign(&note.Note{Text: body}, get(note.NewSigner(private(log))))))
		cosigned := signed + cosignature(witness, body, 1700000000) + cosignature(other, body, 1<<33)
		file.Notes = append(file.Notes,
			opened("signed by its log", signed, log),
			opened("cosigned by two", cosigned, log, witness, other),
			opened("one of the witnesses is not known", cosigned, log, other),
		)
	}
	quantum := quantumKey("pq.example/汉字")
	for _, at := range []uint64{0, 1700000000, 1<<63 - 1} {
		body := fmt.Sprintf("%s\n%d\n%v\n", origin, 70000, get(tlog.TreeHash(70000, reader)))
		signed := string(get(note.Sign(&note.Note{Text: body}, get(note.NewSigner(private(log)))))) + quantumCosignature(quantum, body, at)
		file.Notes = append(file.Notes, opened(fmt.Sprintf("cosigned with ML-DSA-44 at %d", at), signed, log, quantum))
	}
	both := &note.Note{Text: "text\n\nwith an empty line, and 汉字\n"}
	rotated := string(get(note.Sign(both, get(note.NewSigner(private(oldLog))), get(note.NewSigner(private(log))))))
	file.Notes = append(file.Notes, opened("two keys of one name, the older not known", rotated, log))

	checkpoint := []byte(file.Notes[len(file.Notes)-3].Note)
	for _, extra := range [][]byte{nil, []byte("not to be trusted")} {
		proof := fproof.TLogProof{Index: 12345, Checkpoint: checkpoint, ExtraData: extra}
		for _, hash := range get(tlog.ProveRecord(70000, 12345, reader)) {
			proof.Hashes = append(proof.Hashes, hash)
		}
		file.ProofFiles = append(file.ProofFiles, string(proof.Marshal()))
	}
	return file
}

func record(index int64) []byte { return []byte(fmt.Sprintf("record %d", index)) }

func grow(size int64) []tlog.Hash {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			found[i] = stored[index]
		}
		return found, nil
	})
	for index := int64(0); index < size; index++ {
		stored = append(stored, get(tlog.StoredHashes(index, record(index), reader))...)
	}
	return stored
}

func seed(number byte) []byte {
	sum := sha256.Sum256([]byte{number})
	return sum[:]
}

func key(name string, kind byte, number byte) keyVector {
	public := ed25519.NewKeyFromSeed(seed(number)).Public().(ed25519.PublicKey)
	verifier := get(note.NewEd25519VerifierKey(name, public))
	if kind == 4 {
		verifier = get(fnote.VKeyToCosignatureV1(verifier))
	}
	return keyVector{name, int(kind), hex.EncodeToString(seed(number)), verifier}
}

func private(k keyVector) string {
	id := k.Verifier[len(k.Name)+1 : len(k.Name)+9]
	return "PRIVATE+KEY+" + k.Name + "+" + id + "+" + base64.StdEncoding.EncodeToString(append([]byte{byte(k.Type)}, get(hex.DecodeString(k.Seed))...))
}

// The signer of formats takes the time from the clock, so a line of a given time is put together here; `opened` has formats verify it.
func cosignature(k keyVector, body string, at uint64) string {
	private := ed25519.NewKeyFromSeed(get(hex.DecodeString(k.Seed)))
	payload := binary.BigEndian.AppendUint32(nil, verifier(k.Verifier).KeyHash())
	payload = binary.BigEndian.AppendUint64(payload, at)
	payload = append(payload, ed25519.Sign(private, []byte(fmt.Sprintf("cosignature/v1\ntime %d\n%s", at, body)))...)
	return "— " + k.Name + " " + base64.StdEncoding.EncodeToString(payload) + "\n"
}

func quantumSecret() *mldsa.PrivateKey { return get(mldsa.NewPrivateKey(mldsa.MLDSA44(), seed(5))) }

func quantumKey(name string) keyVector {
	material := append([]byte{6}, quantumSecret().PublicKey().Bytes()...)
	id := sha256.Sum256(append([]byte(name+"\n"), material...))
	return keyVector{name, 6, hex.EncodeToString(seed(5)), fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(material))}
}

// Put together from tlog-cosignature for the same reason, and verified by formats too; deterministic, so that it stays the same.
func quantumCosignature(k keyVector, body string, at uint64) string {
	lines := strings.Split(body, "\n")
	message := append([]byte("subtree/v1\n\x00"), byte(len(k.Name)))
	message = binary.BigEndian.AppendUint64(append(message, k.Name...), at)
	message = append(append(message, byte(len(lines[0]))), lines[0]...)
	message = binary.BigEndian.AppendUint64(message, 0)
	message = binary.BigEndian.AppendUint64(message, get(strconv.ParseUint(lines[1], 10, 64)))
	message = append(message, get(base64.StdEncoding.DecodeString(lines[2]))...)
	payload := binary.BigEndian.AppendUint32(nil, verifier(k.Verifier).KeyHash())
	payload = binary.BigEndian.AppendUint64(payload, at)
	payload = append(payload, get(quantumSecret().SignDeterministic(message, nil))...)
	return "— " + k.Name + " " + base64.StdEncoding.EncodeToString(payload) + "\n"
}

func opened(about, signed string, keys ...keyVector) noteVector {
	found := noteVector{About: about, Note: signed}
	for _, key := range keys {
		found.Keys = append(found.Keys, key.Verifier)
	}
	result := open(question{Data: []byte(signed), Keys: found.Keys})
	if result.Error != "" {
		must(fmt.Errorf("%s: %s", about, result.Error))
	}
	found.Verified = result.Names
	return found
}

func texts(hashes []tlog.Hash) []string {
	found := []string{}
	for _, hash := range hashes {
		found = append(found, hash.String())
	}
	return found
}
