// Reads a Chopmark log with Go's own transparency packages (golang.org/x/mod/sumdb) and nothing of Chopmark.
//
//	check <log folder> <vkey> <old checkpoint> <proof file> <entry file>
//
// Checks: both checkpoints are signed; every entry in the bundles hashes to its place in the tiles; the tiles
// rebuild the signed root; the newest entry and the first are in the tree; the old tree is a prefix of the
// new one; the proof file holds for the entry file. Prints "ok <size>" or the first failure.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "usage: check <log folder> <vkey> <old checkpoint> <proof file> <entry file>")
		os.Exit(2)
	}
	size, err := check(os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println("ok", size)
}

func check(folder, vkey, oldFile, proofFile, entryFile string) (int64, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return 0, err
	}
	tree, err := openCheckpoint(filepath.Join(folder, "checkpoint"), verifier)
	if err != nil {
		return 0, err
	}
	old, err := openCheckpoint(oldFile, verifier)
	if err != nil {
		return 0, err
	}
	hashes := tlog.TileHashReader(tree, tiles(folder))
	if err := checkEntries(folder, tree, hashes); err != nil {
		return 0, err
	}
	if err := checkOld(tree, old, hashes); err != nil {
		return 0, err
	}
	return tree.N, checkProof(proofFile, entryFile, verifier)
}

func openCheckpoint(file string, verifier note.Verifier) (tlog.Tree, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return tlog.Tree{}, err
	}
	return readCheckpoint(data, verifier)
}

func readCheckpoint(data []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("checkpoint of another form or origin")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// tiles reads C2SP paths, which lack the height that Go's own paths carry.
type tiles string

func (folder tiles) Height() int { return height }

func (folder tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (folder tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(string(folder), path))
		if errors.Is(err, os.ErrNotExist) {
			// A partial tile may be cleared away once the full one exists.
			data, err = os.ReadFile(filepath.Join(string(folder), strings.Split(path, ".p/")[0]))
			if len(data) > tile.W*tlog.HashSize {
				data = data[:tile.W*tlog.HashSize]
			}
		}
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func checkEntries(folder string, tree tlog.Tree, hashes tlog.HashReader) error {
	var all []tlog.Hash
	for index := int64(0); index*256 < tree.N; index++ {
		tile := tlog.Tile{H: height, L: 0, N: index, W: int(min(256, tree.N-index*256))}
		path := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
		data, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return err
		}
		entries, err := unbundle(data)
		if err != nil || len(entries) != tile.W {
			return fmt.Errorf("bundle %s: %d entries: %w", path, len(entries), err)
		}
		for _, entry := range entries {
			all = append(all, tlog.RecordHash(entry))
		}
	}
	for index := range all {
		stored, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, int64(index))})
		if err != nil {
			return err
		}
		if stored[0] != all[index] {
			return fmt.Errorf("entry %d does not hash to its place in the tile", index)
		}
	}
	for _, index := range []int64{0, tree.N - 1} {
		proof, err := tlog.ProveRecord(tree.N, index, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, all[index]); err != nil {
			return err
		}
	}
	return nil
}

func unbundle(data []byte) (entries [][]byte, err error) {
	for len(data) > 0 {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return nil, errors.New("cut off")
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries, data = append(entries, data[2:end]), data[end:]
	}
	return entries, nil
}

func checkOld(tree, old tlog.Tree, hashes tlog.HashReader) error {
	proof, err := tlog.ProveTree(tree.N, old.N, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

func checkProof(proofFile, entryFile string, verifier note.Verifier) error {
	data, err := os.ReadFile(proofFile)
	if err != nil {
		return err
	}
	entry, err := os.ReadFile(entryFile)
	if err != nil {
		return err
	}
	head, checkpoint, found := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return errors.New("not a tlog-proof")
	}
	lines = lines[1:]
	if encoded, ok := strings.CutPrefix(lines[0], "extra "); ok {
		if _, err := base64.StdEncoding.Strict().DecodeString(encoded); err != nil {
			return err
		}
		lines = lines[1:]
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	if err != nil {
		return err
	}
	var proof tlog.RecordProof
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return err
		}
		proof = append(proof, hash)
	}
	tree, err := readCheckpoint(checkpoint, verifier)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}
