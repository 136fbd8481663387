package broker_test

import (
	"strings"
	"testing"

	"github.com/bkledger/bk/migrations/kafkatest/broker"
)

// What a broker does over kills is tested by package kafkatest.

func TestNoJars(t *testing.T) {
	t.Parallel()
	b, err := broker.New(t.Context(), t.TempDir(), t.TempDir())
	if err == nil {
		b.Kill()
		t.Fatal("a folder without jars gave a broker")
	}
	if !strings.Contains(err.Error(), "jar") && !strings.Contains(err.Error(), "Java") {
		t.Errorf("the error doesn't say what is missing: %v", err)
	}
}

func TestStartTwice(t *testing.T) {
	t.Parallel()
	b, err := broker.New(t.Context(), "", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Kill)
	if err := b.Start(t.Context()); err == nil || !strings.Contains(err.Error(), b.Addr()) {
		t.Errorf("a running broker was started: %v", err)
	}
	for range 2 {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	}
	if err := b.Start(t.Context()); err != nil {
		t.Error(err)
	}
}
