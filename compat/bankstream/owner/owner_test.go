package owner_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankstream/owner"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/ledger"
)

// TestThereAndBack: all modes, there and back and there again, under load, with two instances of the stream.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.replica("one", mode.BankPrimary)
	w.open()
	_, stopFirst := w.stream("first")
	w.stream("second")
	stop := w.load()
	for i, to := range []mode.Mode{mode.BankOnly, mode.BankPrimary, mode.BKPrimary, mode.BKOnly, mode.BKPrimary, mode.BankPrimary, mode.BankOnly, mode.BankPrimary, mode.BKPrimary, mode.BankPrimary} {
		w.more(40)
		w.to(f, to)
		if i == 4 {
			stopFirst()
		}
	}
	w.more(40)
	stop()
	banks, streams := w.complete(4)
	if banks < 100 || streams < 60 {
		t.Errorf("only %d events by Bank, %d by the stream", banks, streams)
	}
	if relay := w.relay(); relay.Held || relay.Prefix != "" || relay.Before != "legacy." {
		t.Errorf("Bank's relay is left as %+v", relay)
	}
	for _, s := range w.read("legacy.bank.trades", "legacy.bank.cash") {
		if s.stream {
			t.Errorf("%s is on Bank's own topics", s)
		}
	}
}

// TestCoordinatorKilled: the façade that leads a step is killed when Bank's relay is held and nothing is committed, in both directions. The relay goes on where it was, and the step is
// made by another.
func TestCoordinatorKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.replica("one", mode.BankPrimary)
	w.open()
	w.stream("first")
	stop := w.load()
	for _, step := range []struct {
		to     mode.Mode
		before string
	}{{mode.BKPrimary, ""}, {mode.BankPrimary, "legacy."}} {
		w.more(40)
		victim, kill := w.victim("victim")
		held := make(chan bank.RelaySetting, 1)
		die := func(s bank.RelaySetting) {
			if s.Held {
				w.gate.answered.Store(nil)
				kill()
				held <- s
			}
		}
		w.gate.answered.Store(&die)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := victim.Switch(ctx, step.to)
		cancel()
		if err == nil {
			t.Fatal("the step was made by who was killed")
		}
		w.facade.Store(w.client(bank.ClientConfig{API: f.API, Operations: f.Operations}))
		select {
		case s := <-held:
			t.Logf("killed when the relay was held by %d", s.Epoch)
		case <-time.After(patience):
			t.Fatal("the relay was not held")
		}
		w.released(step.before)
		w.more(40)
		w.to(f, step.to)
	}
	w.more(40)
	stop()
	if banks, streams := w.complete(2); banks < 100 || streams < 20 {
		t.Errorf("only %d events by Bank, %d by the stream", banks, streams)
	}
}

// TestStreamAway: steps there and back while no stream runs. Nothing of Bank's is on its topics before the stream has published its own; no step that changes hands is made
// meanwhile. Then all of it comes.
func TestStreamAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.replica("one", mode.BankPrimary)
	w.open()
	stop := w.load()
	w.more(40)
	w.to(f, mode.BKPrimary)
	w.more(40)
	w.released("legacy.") // a façade's replica sees to it
	w.to(f, mode.BankPrimary)
	w.more(40)
	relay := w.relay()
	if !relay.Held || relay.Before != "legacy." || relay.Waiting == 0 {
		t.Errorf("Bank's relay: %+v", relay)
	}
	for _, s := range w.read(bank.TopicTrades, bank.TopicCash) {
		if s.stream || s.ID >= int64(relay.From) {
			t.Errorf("%s is there before its turn", s)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := f.Switch(short, mode.BKPrimary); err == nil {
		t.Error("the topics changed hands again")
	}
	attempts := 0
	if err := w.pool.QueryRow(t.Context(), `SELECT count(*) FROM facade.switch WHERE ended_at IS NULL`).Scan(&attempts); err != nil || attempts != 0 {
		t.Errorf("%d attempts are under way (%v)", attempts, err)
	}
	w.stream("late")
	w.released("")
	stop()
	if banks, streams := w.complete(2); banks < 60 || streams < 20 {
		t.Errorf("only %d events by Bank, %d by the stream", banks, streams)
	}
}

// TestBankAway: Bank's relay can't be asked after the step there: the stream publishes nothing on Bank's topics before it is known that Bank has sent all. After that it needs Bank no
// more. After the step back Bank can't be reached, is restarted, and is there again.
func TestBankAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.replica("one", mode.BankPrimary)
	w.open()
	stop := w.load()
	w.more(40)
	w.to(f, mode.BKPrimary)
	w.gate.shut.Store(true)
	o, stopStream := w.stream("first")
	w.more(40)
	w.await("the owner says why", func(context.Context) bool { return strings.Contains(o.Status().Error, "Bank's relay") })
	history, _, err := mode.Outlook(t.Context(), w.pool)
	if err != nil {
		t.Fatal(err)
	}
	now := history[len(history)-1]
	w.await("BK has booked", func(ctx context.Context) bool {
		head, err := owner.BK(w.bk).Head(ctx)
		return err == nil && head > now.FirstSequence
	})
	if _, _, err := o.Of(t.Context(), now.FirstSequence); !errors.Is(err, owner.ErrNotYet) {
		t.Errorf("the first own entry, while Bank is away: %v", err)
	}
	for _, s := range w.read(bank.TopicTrades, bank.TopicCash) {
		if s.stream {
			t.Errorf("%s is there, and nobody knows what Bank has left to send", s)
		}
	}
	w.gate.shut.Store(false)
	stop()
	w.complete(1)

	// Bank is gone, in bk-only: an instance that starts only now knows what is written down.
	w.to(f, mode.BKOnly)
	w.stopBank()
	if base, owned, err := w.owner().Of(t.Context(), now.FirstSequence); err != nil || !owned || base != now.EventID {
		t.Errorf("without Bank: %d, %t, %v", base, owned, err)
	}
	stop = w.load()
	w.more(20)
	stop()
	w.complete(1)

	w.startBank()
	w.to(f, mode.BKPrimary)
	stop = w.load()
	w.more(20)
	stopStream()
	w.to(f, mode.BankPrimary)
	w.gate.shut.Store(true)
	o, _ = w.stream("second")
	w.more(20)
	stop()
	w.await("the owner says why", func(context.Context) bool { return strings.Contains(o.Status().Error, "Bank's relay") })
	w.stopBank()
	w.startBank()
	if relay := w.relay(); !relay.Held || relay.Before != "legacy." {
		t.Errorf("Bank's relay after its restart: %+v", relay)
	}
	w.gate.shut.Store(false)
	w.released("")
	w.complete(2)
}

// TestBeginAndKill: a façade that begins with BK as the primary gives the stream the topics from the first. The kill switch leaves them where they are, in either primary, and one
// that comes while a step has Bank's relay held lets it go on as before.
func TestBeginAndKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.replica("one", mode.BKPrimary)
	w.open()
	w.stream("first")
	w.released("legacy.")
	kill := func() {
		t.Helper()
		response, err := http.Post(f.Admin+"/mode", "application/json", strings.NewReader(`{"kill": true, "who": "test", "why": "test"}`))
		if err != nil {
			t.Fatal(err)
		}
		if response.Body.Close(); response.StatusCode != http.StatusOK {
			t.Fatalf("the kill switch: %d", response.StatusCode)
		}
	}
	stop := w.load()
	w.more(20)
	kill()
	w.more(20)
	if relay := w.relay(); relay.Held || relay.Prefix != "legacy." {
		t.Errorf("Bank's relay behind the kill switch: %+v", relay)
	}
	w.to(f, mode.BKPrimary)
	w.to(f, mode.BankPrimary)
	w.released("")
	w.more(20)
	pull := func(s bank.RelaySetting) {
		if s.Held {
			w.gate.answered.Store(nil)
			kill()
		}
	}
	w.gate.answered.Store(&pull)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := f.Switch(ctx, mode.BKPrimary); err == nil {
		t.Error("a step was made over the kill switch")
	}
	w.released("")
	w.more(20)
	history, _, err := mode.Outlook(t.Context(), w.pool)
	if now := history[len(history)-1]; err != nil || now.Mode != mode.BankOnly || !now.Killed || now.Stream {
		t.Errorf("the epoch in force: %+v (%v)", now, err)
	}
	stop()
	if banks, streams := w.complete(1); banks < 20 || streams < 20 {
		t.Errorf("only %d events by Bank, %d by the stream", banks, streams)
	}
}

// TestOf: what is whose, and from which id on, over several epochs; an instance that has just started says the same.
func TestOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.replica("one", mode.BankPrimary)
	w.open()
	o, _ := w.stream("first")
	for i, to := range []mode.Mode{mode.BKPrimary, mode.BankPrimary, mode.BKPrimary, mode.BKOnly} {
		if err := w.write(1, "a"+string(to)+string(rune('0'+i)), 0); err != nil {
			t.Fatal(err)
		}
		w.to(f, to)
	}
	if err := w.write(1, "last", 0); err != nil {
		t.Fatal(err)
	}
	w.released("legacy.")
	status, err := w.bk.Admin.Status(t.Context(), connect.NewRequest(&bkv1.StatusRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	head, err := ledger.ParseToken(status.Msg.GetHead())
	if err != nil {
		t.Fatal(err)
	}
	history, latest, err := mode.Outlook(t.Context(), w.pool)
	if err != nil || latest == nil || latest.Outcome != "done" || len(history) != 5 {
		t.Fatalf("%d epochs, %+v, %v", len(history), latest, err)
	}
	fresh := w.owner()
	owned, last := 0, int64(0)
	for s := int64(1); s <= int64(head.Seq); s++ {
		in := history[0]
		for _, e := range history {
			if e.FirstSequence <= s && e.FirstSequence > in.FirstSequence {
				in = e
			}
		}
		for name, who := range map[string]*owner.Owner{"the first": o, "one just started": fresh} {
			var base int64
			var own bool
			w.await("an answer", func(ctx context.Context) bool {
				var err error
				base, own, err = who.Of(ctx, s)
				return err == nil
			})
			if own != (in.Mode.Primary() == mode.BK) || own && base != in.EventID {
				t.Errorf("entry %d, by %s: %t from %d, in epoch %d (%s) from %d", s, name, own, base, in.Epoch, in.Mode, in.EventID)
			}
			if name == "the first" && own {
				if owned++; base+2*s <= last {
					t.Errorf("entry %d: event %d behind %d", s, base+2*s, last)
				}
				last = base + 2*s + 1
			}
		}
	}
	if owned < 2 {
		t.Errorf("only %d entries are the stream's", owned)
	}
	w.await("the status says so", func(context.Context) bool {
		st := o.Status()
		return st.Stream && st.Mode == mode.BKOnly && st.Relay.Prefix == "legacy." && st.Error == ""
	})
	if _, err := owner.New(owner.Config{Brokers: []string{"x"}, Poll: time.Hour}); err == nil || !strings.Contains(err.Error(), "Pool") || !strings.Contains(err.Error(), "Bank") ||
		!strings.Contains(err.Error(), "BK") || !strings.Contains(err.Error(), "Group") || !strings.Contains(err.Error(), "Poll: 1h") {
		t.Errorf("a configuration that lacks everything: %v", err)
	}
}
