package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"filippo.io/mldsa"
	"github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	fproof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/formats/witness"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Bytes are base64 in JSON, as encoding/json has them.
type question struct {
	Ask    string   `json:"ask"`
	Data   []byte   `json:"data"`
	Text   string   `json:"text"`
	Keys   []string `json:"keys"`
	Name   string   `json:"name"`
	Old    int64    `json:"old"`
	Size   int64    `json:"size"`
	Index  int64    `json:"index"`
	Level  int64    `json:"level"`
	Leaf   []byte   `json:"leaf"`
	Root   []byte   `json:"root"`
	Before []byte   `json:"before"`
	Proof  [][]byte `json:"proof"`
}

type reply struct {
	Error  string   `json:"error,omitempty"`
	Text   string   `json:"text,omitempty"`
	Data   []byte   `json:"data,omitempty"`
	Names  []string `json:"names,omitempty"`
	Parts  [][]byte `json:"parts,omitempty"`
	Number uint64   `json:"number,omitempty"`
	Yes    bool     `json:"yes,omitempty"`
}

func answer(q question) reply {
	switch q.Ask {
	case "open":
		return open(q)
	case "sign":
		signers := make([]note.Signer, len(q.Keys))
		for i, key := range q.Keys {
			signers[i] = signer(key)
		}
		signed, err := note.Sign(&note.Note{Text: q.Text}, signers...)
		return reply{Error: said(err), Data: signed}
	case "checkpoint":
		var checkpoint log.Checkpoint
		rest, err := checkpoint.Unmarshal(q.Data)
		return reply{Error: said(err), Text: checkpoint.Origin, Number: checkpoint.Size, Data: checkpoint.Hash, Yes: len(rest) > 0}
	case "inclusion":
		return both(
			proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(q.Index), uint64(q.Size), q.Leaf, q.Proof, q.Root),
			tlog.CheckRecord(hashes(q.Proof), q.Size, hash(q.Root), q.Index, hash(q.Leaf)),
		)
	case "consistency":
		return both(
			proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(q.Old), uint64(q.Size), q.Proof, q.Before, q.Root),
			tlog.CheckTree(hashes(q.Proof), q.Size, hash(q.Root), q.Old, hash(q.Before)),
		)
	case "proof file":
		var file fproof.TLogProof
		err := file.Unmarshal(q.Data)
		if err != nil {
			return reply{Error: err.Error()}
		}
		parts := make([][]byte, len(file.Hashes))
		for i, h := range file.Hashes {
			parts[i] = h[:]
		}
		return reply{Number: file.Index, Parts: parts, Data: file.Checkpoint, Yes: bytes.Equal(file.Marshal(), q.Data)}
	case "policy":
		group, err := witness.ParsePolicy([]byte(q.Text))
		if err != nil {
			return reply{Error: err.Error()}
		}
		return reply{Yes: group.Satisfied(q.Data)}
	case "bundle":
		var bundle api.EntryBundle
		err := bundle.UnmarshalText(q.Data)
		return reply{Error: said(err), Parts: bundle.Entries}
	case "path":
		partial := layout.PartialTileSize(uint64(q.Level), uint64(q.Index), uint64(q.Size))
		return reply{Names: []string{layout.TilePath(uint64(q.Level), uint64(q.Index), partial), layout.EntriesPath(uint64(q.Index), partial)}}
	case "log":
		return wholeLog(q)
	}
	return reply{Error: "not understood"}
}

// Open a note by keys of types 1 (x/mod), 4 and 6 (formats). Names are "name id [time]" of what was verified, in the note's order;
// an ML-DSA cosignature at 0 says no time.
func open(q question) reply {
	var verifiers []note.Verifier
	for _, key := range q.Keys {
		verifiers = append(verifiers, verifier(key))
	}
	opened, err := note.Open(q.Data, note.VerifierList(verifiers...))
	var invalid *note.InvalidSignatureError
	var unverified *note.UnverifiedNoteError
	switch {
	case errors.As(err, &invalid):
		return reply{Error: "invalid"}
	case errors.As(err, &unverified):
		return reply{Error: "unsigned"}
	case err != nil:
		return reply{Error: "malformed"}
	}
	var names []string
	for _, signature := range opened.Sigs {
		name := fmt.Sprintf("%s %08x", signature.Name, signature.Hash)
		raw := get(base64.StdEncoding.DecodeString(signature.Base64))
		stamped := len(raw) == 4+8+64 || len(raw) == 4+8+mldsa.MLDSA44SignatureSize && binary.BigEndian.Uint64(raw[4:]) != 0
		if stamped {
			name += fmt.Sprintf(" %d", binary.BigEndian.Uint64(raw[4:]))
		}
		names = append(names, name)
	}
	return reply{Text: opened.Text, Names: names}
}

// A whole log in a directory: fsck derives every tile and the root from the entries; then proofs are built from the tiles.
func wholeLog(q question) reply {
	ctx := context.Background()
	files := client.FileFetcher{Root: q.Text}
	key := verifier(q.Keys[0])
	err := fsck.New(q.Name, key, files, leafHashes, fsck.Opts{N: 2}).Check(ctx)
	if err != nil {
		return reply{Error: err.Error()}
	}
	builder, err := client.NewProofBuilder(ctx, uint64(q.Size), files.ReadTile)
	if err != nil {
		return reply{Error: err.Error()}
	}
	inclusion, err := builder.InclusionProof(ctx, uint64(q.Index))
	if err != nil {
		return reply{Error: err.Error()}
	}
	consistency, err := builder.ConsistencyProof(ctx, uint64(q.Old), uint64(q.Size))
	return reply{Error: said(err), Parts: append(inclusion, consistency...)}
}

func leafHashes(bundle []byte) ([][]byte, error) {
	var entries api.EntryBundle
	if err := entries.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var leaves [][]byte
	for _, entry := range entries.Entries {
		leaves = append(leaves, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return leaves, nil
}

func verifier(key string) note.Verifier {
	_, rest, _ := strings.Cut(key, "+")
	_, encoded, _ := strings.Cut(rest, "+")
	switch get(base64.StdEncoding.DecodeString(encoded))[0] {
	case 4:
		return get(fnote.NewVerifierForCosignatureV1(key))
	case 6:
		return get(fnote.NewMLDSAVerifier(key))
	}
	return get(note.NewVerifier(key))
}

// A signer of PRIVATE+KEY+name+id+base64(type ‖ seed).
func signer(key string) note.Signer {
	encoded := strings.SplitN(key, "+", 5)[4]
	switch get(base64.StdEncoding.DecodeString(encoded))[0] {
	case 4:
		return get(fnote.NewSignerForCosignatureV1(key))
	case 6:
		return get(fnote.NewMLDSASigner(key))
	}
	return get(note.NewSigner(key))
}

func both(one, other error) reply {
	if (one == nil) != (other == nil) {
		return reply{Error: fmt.Sprintf("they do not agree: %v; %v", one, other)}
	}
	return reply{Yes: one == nil}
}

func hash(data []byte) (h tlog.Hash) {
	if len(data) != sha256.Size {
		must(fmt.Errorf("a hash of %d bytes", len(data)))
	}
	copy(h[:], data)
	return h
}

func hashes(list [][]byte) []tlog.Hash {
	found := make([]tlog.Hash, len(list))
	for i, data := range list {
		found[i] = hash(data)
	}
	return found
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
