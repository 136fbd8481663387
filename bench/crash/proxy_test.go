package main

import (
	"bufio"
	"net"
	"testing"
	"time"
)

// TestProxyLosesAnswers: what is said while it is muted arrives at the server, and its answer nowhere.
func TestProxyLosesAnswers(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	heard := make(chan string, 10)
	go func() { // answers every line with itself
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				for lines := bufio.NewScanner(c); lines.Scan(); {
					c.Write([]byte(lines.Text() + "\n"))
					heard <- lines.Text()
				}
			}()
		}
	}()
	p, dsn, err := through("postgres://postgres:secret@" + server.Addr().String() + "/bk?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if want := "postgres://postgres:secret@" + p.listener.Addr().String() + "/bk?sslmode=disable"; dsn != want {
		t.Errorf("the DSN is %s, want %s", dsn, want)
	}
	dial := func() (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp4", p.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(10 * time.Second))
		return c, bufio.NewReader(c)
	}
	c, answers := dial()
	defer c.Close()
	c.Write([]byte("one\n"))
	if line, err := answers.ReadString('\n'); line != "one\n" {
		t.Fatalf("got %q: %v", line, err)
	}
	p.mute()
	c.Write([]byte("two\n"))
	for _, want := range []string{"one", "two"} {
		if got := <-heard; got != want {
			t.Fatalf("the server heard %q, want %q", got, want)
		}
	}
	p.cut()
	if line, err := answers.ReadString('\n'); err == nil {
		t.Fatalf("an answer came through: %q", line)
	}
	c, answers = dial()
	defer c.Close()
	c.Write([]byte("three\n"))
	if line, err := answers.ReadString('\n'); line != "three\n" {
		t.Fatalf("after the cut got %q: %v", line, err)
	}
}
