// Receipt gives a .tlog-proof, or a checkpoint, to torchwood under a policy.
//
//	receipt POLICY PROOF ENTRY     does the policy's quorum stand behind this entry?
//	receipt POLICY CHECKPOINT      does it stand behind this checkpoint?
//
// It prints "ok", or "failed: REASON" with exit status 1.
package main

import (
	"errors"
	"fmt"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

func run(names []string) error {
	if len(names) != 2 && len(names) != 3 {
		return errors.New("receipt POLICY PROOF ENTRY, or receipt POLICY CHECKPOINT")
	}
	var files [][]byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files = append(files, data)
	}
	policy, err := torchwood.ParsePolicy(files[0])
	if err != nil {
		return err
	}
	if len(files) == 2 {
		_, _, err := torchwood.VerifyCheckpoint(files[1], policy)
		return err
	}
	return torchwood.VerifyProof(policy, tlog.RecordHash(files[2]), files[1])
}
