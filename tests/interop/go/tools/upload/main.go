// Upload brings a log's newest checkpoint and all its entries to a mirror, as C2SP tlog-mirror says, and checks the
// cosignatures that come back. It reads the log through Tessera's client; the tree's arithmetic is its own and naive:
// all leaf hashes in memory, each node computed from those below.
//
//	upload [-packages N] [-plain] [-cut N] [-flip] LOG_URL LOG_VKEY MIRROR_URL COSIGNER_VKEY...
//
// LOG_URL is http:// or file://, with a slash at the end. On success it prints "ok SIZE REQUESTS"; anything wrong is
// "failed: REASON" and exit status 1.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	width       = 256 // entries of a bundle, and of a package
	maxRequests = 10_000
	mirrorInfo  = "text/x.tlog.mirror-info"
	logSize     = "text/x.tlog.size"
)

var (
	packages = flag.Int("packages", 32, "at most so many packages in a request")
	plain    = flag.Bool("plain", false, "send without gzip")
	flip     = flag.Bool("flip", false, "change the last bit of the first request")
	cut      = flag.Int("cut", 0, "leave out so many bytes at the end of the first request, as a broken connection does")
)

type source interface {
	ReadCheckpoint(ctx context.Context) ([]byte, error)
	ReadTile(ctx context.Context, level, index uint64, partial uint8) ([]byte, error)
	ReadEntryBundle(ctx context.Context, index uint64, partial uint8) ([]byte, error)
}

func main() {
	flag.Parse()
	if flag.NArg() < 4 {
		fmt.Println("failed: LOG_URL LOG_VKEY MIRROR_URL COSIGNER_VKEY...")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	size, requests, err := run(ctx, flag.Arg(0), flag.Arg(1), strings.TrimSuffix(flag.Arg(2), "/"), flag.Args()[3:])
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println("ok", size, requests)
}

func run(ctx context.Context, from, vkey, mirror string, cosigners []string) (size, requests int, err error) {
	src, err := open(from)
	if err != nil {
		return 0, 0, err
	}
	key, err := note.NewVerifier(vkey)
	if err != nil {
		return 0, 0, err
	}
	point, raw, _, err := client.FetchCheckpoint(ctx, src.ReadCheckpoint, key, key.Name())
	if err != nil {
		return 0, 0, err
	}
	size = int(point.Size)
	entries, tree, err := read(ctx, src, size)
	if err != nil {
		return 0, 0, err
	}
	if root := tree.root(0, size); !bytes.Equal(root[:], point.Hash) {
		return 0, 0, errors.New("the source's entries do not make the root that it signed")
	}
	if err := addCheckpoint(ctx, src, mirror, point.Size, raw); err != nil {
		return 0, 0, err
	}
	lines, requests, err := addEntries(ctx, mirror, key.Name(), entries, tree)
	if err != nil {
		return 0, requests, err
	}
	return size, requests, check(append(bytes.Clone(raw), lines...), cosigners)
}

func open(from string) (source, error) {
	where, err := url.Parse(from)
	if err != nil {
		return nil, err
	}
	if where.Scheme == "file" {
		return client.FileFetcher{Root: where.Path}, nil
	}
	return client.NewHTTPFetcher(where, nil)
}

// read fetches every entry, bundle by bundle.
func read(ctx context.Context, src source, size int) ([][]byte, *leaves, error) {
	var entries [][]byte
	tree := &leaves{}
	for index := 0; index*width < size; index++ {
		bundle, err := client.GetEntryBundle(ctx, src.ReadEntryBundle, uint64(index), uint64(size))
		if err != nil {
			return nil, nil, err
		}
		for _, entry := range bundle.Entries[:min(width, size-index*width)] {
			entries = append(entries, entry)
			tree.add(tlog.RecordHash(entry))
		}
	}
	return entries, tree, nil
}

// addCheckpoint offers the checkpoint, first without knowing what the mirror has, then with the proof it needs.
func addCheckpoint(ctx context.Context, src source, mirror string, size uint64, raw []byte) error {
	builder, err := client.NewProofBuilder(ctx, size, src.ReadTile)
	if err != nil {
		return err
	}
	old := uint64(0)
	for range 3 {
		var body bytes.Buffer
		fmt.Fprintf(&body, "old %d\n", old)
		if old > 0 {
			proof, err := builder.ConsistencyProof(ctx, old, size)
			if err != nil {
				return err
			}
			for _, hash := range proof {
				fmt.Fprintln(&body, base64.StdEncoding.EncodeToString(hash))
			}
		}
		fmt.Fprintf(&body, "\n%s", raw)
		status, kind, answer, err := post(ctx, mirror+"/add-checkpoint", "text/plain; charset=utf-8", body.Bytes(), false)
		switch {
		case err != nil:
			return err
		case status == http.StatusOK:
			return nil
		case status != http.StatusConflict || kind != logSize:
			return fmt.Errorf("add-checkpoint: %d %q %q", status, kind, answer)
		}
		if old, err = strconv.ParseUint(strings.TrimSuffix(string(answer), "\n"), 10, 64); err != nil {
			return err
		}
	}
	return errors.New("add-checkpoint: the mirror's size never settles")
}

// addEntries sends packages until the mirror has cosigned; the mirror's answers say from where.
func addEntries(ctx context.Context, mirror, origin string, entries [][]byte, tree *leaves) ([]byte, int, error) {
	start, end, ticket := 0, len(entries), []byte(nil)
	for requests := 1; requests <= maxRequests; requests++ {
		body := header(origin, start, end, ticket)
		for count, first := 0, start; first < end && count < *packages; count++ {
			last := min(end, first-first%width+width)
			body = append(body, tree.parcel(entries[first:last], first-first%width, last, end)...)
			first = last
		}
		if requests == 1 {
			body = body[:len(body)-*cut]
			if *flip {
				body[len(body)-1] ^= 1
			}
		}
		status, kind, answer, err := post(ctx, mirror+"/add-entries", "application/octet-stream", body, !*plain)
		if err != nil {
			return nil, requests, err
		}
		if status == http.StatusOK {
			return answer, requests, nil
		}
		if (status != http.StatusAccepted && status != http.StatusConflict) || kind != mirrorInfo {
			return nil, requests, fmt.Errorf("add-entries: %d %q %q", status, kind, answer)
		}
		next, err := position(answer, end, &ticket)
		if err != nil {
			return nil, requests, err
		}
		if status == http.StatusAccepted && next <= start {
			return nil, requests, errors.New("add-entries: accepted, but the mirror does not go on")
		}
		start = next
	}
	return nil, maxRequests, errors.New("add-entries: it never ends")
}

func header(origin string, start, end int, ticket []byte) []byte {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(origin)))
	body = append(body, origin...)
	body = binary.BigEndian.AppendUint64(body, uint64(start))
	body = binary.BigEndian.AppendUint64(body, uint64(end))
	body = binary.BigEndian.AppendUint16(body, uint16(len(ticket)))
	return append(body, ticket...)
}

// position reads the three lines of a mirror's state.
func position(answer []byte, end int, ticket *[]byte) (int, error) {
	lines := strings.Split(string(answer), "\n")
	if len(lines) != 4 || lines[3] != "" {
		return 0, fmt.Errorf("not three lines: %q", answer)
	}
	if lines[0] != strconv.Itoa(end) {
		return 0, fmt.Errorf("the mirror waits for size %s, not for %d", lines[0], end)
	}
	var err error
	if *ticket, err = base64.StdEncoding.DecodeString(lines[2]); err != nil {
		return 0, err
	}
	return strconv.Atoi(lines[1])
}

// check opens the log's checkpoint with the lines that came back under every cosigner's key: each must have signed.
func check(signed []byte, cosigners []string) error {
	for _, vkey := range cosigners {
		verifier, err := f_note.NewVerifierForCosignatureV1(vkey)
		if err != nil {
			return err
		}
		opened, err := note.Open(signed, note.VerifierList(verifier))
		if err != nil {
			return fmt.Errorf("%s: %w", verifier.Name(), err)
		}
		at, err := f_note.CoSigV1Timestamp(opened.Sigs[0])
		if err != nil || time.Since(at).Abs() > time.Minute {
			return fmt.Errorf("%s: signed at %v, %v", verifier.Name(), at, err)
		}
	}
	return nil
}

func post(ctx context.Context, to, kind string, body []byte, zip bool) (int, string, []byte, error) {
	if zip {
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		if _, err := writer.Write(body); err != nil {
			return 0, "", nil, err
		}
		if err := writer.Close(); err != nil {
			return 0, "", nil, err
		}
		body = packed.Bytes()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	request.Header.Set("Content-Type", kind)
	if zip {
		request.Header.Set("Content-Encoding", "gzip")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, response.Header.Get("Content-Type"), answer, err
}

// leaves is a tree as its leaf hashes and every full node above them: levels[l][i] covers [i<<l, (i+1)<<l).
type leaves struct {
	levels [][]tlog.Hash
}

func (t *leaves) add(hash tlog.Hash) {
	for level := 0; ; level++ {
		if level == len(t.levels) {
			t.levels = append(t.levels, nil)
		}
		t.levels[level] = append(t.levels[level], hash)
		if len(t.levels[level])%2 == 1 {
			return
		}
		hash = tlog.NodeHash(t.levels[level][len(t.levels[level])-2], hash)
	}
}

// root is the hash of the leaves in [start, end), where start is a multiple of a power of two that is at least end-start.
func (t *leaves) root(start, end int) tlog.Hash {
	if end == 0 {
		return tlog.Hash(must(base64.StdEncoding.DecodeString("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")))
	}
	level := 0
	for 1<<level < end-start {
		level++
	}
	if 1<<level == end-start {
		return t.levels[level][start>>level]
	}
	middle := start + 1<<(level-1)
	return tlog.NodeHash(t.root(start, middle), t.root(middle, end))
}

// prove is the subtree consistency proof from [start, end) to [low, high), as the draft on Merkle Tree Certificates
// defines it by recursion; known says that the reader has the subtree's hash already.
func (t *leaves) prove(start, end, low, high int, known bool) []tlog.Hash {
	if start == low && end == high {
		if known {
			return nil
		}
		return []tlog.Hash{t.root(low, high)}
	}
	half := 1
	for half*2 < high-low {
		half *= 2
	}
	middle := low + half
	switch {
	case end <= middle:
		return append(t.prove(start, end, low, middle, known), t.root(middle, high))
	case start >= middle:
		return append(t.prove(start, end, middle, high, known), t.root(low, middle))
	default:
		return append(t.prove(middle, end, middle, high, false), t.root(low, middle))
	}
}

// parcel is one package: the entries, and the proof from the subtree [start, last) to the tree of size end.
func (t *leaves) parcel(entries [][]byte, start, last, end int) []byte {
	var body []byte
	for _, entry := range entries {
		body = binary.BigEndian.AppendUint16(body, uint16(len(entry)))
		body = append(body, entry...)
	}
	proof := t.prove(start, last, 0, end, true)
	body = append(body, byte(len(proof)))
	for _, hash := range proof {
		body = append(body, hash[:]...)
	}
	return body
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
