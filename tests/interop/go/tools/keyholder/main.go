// Keyholder is an SSH agent that holds one new Ed25519 key: litewitness signs through such an agent only.
//
//	keyholder SOCKET
//
// It prints the key's fingerprint and serves until its standard input ends.
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("keyholder SOCKET")
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		log.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		log.Fatal(err)
	}
	socket, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ssh.FingerprintSHA256(key))
	go func() {
		for {
			connection, err := socket.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, connection) }()
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = socket.Close()
}
