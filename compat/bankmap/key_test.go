package bankmap_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seen := map[string]string{}
		add := func(key, what string) {
			if len(key) == 0 || len(key) > 256 || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Errorf("BK takes no key such as %q", key)
			}
			if before, there := seen[key]; there && before != what {
				t.Errorf("%s and %s have the same key %q", before, what, key)
			}
			seen[key] = what
		}
		for range 20 {
			account, id := bank.ID(rapid.Int64Range(1, 1<<40-1).Draw(t, "account")), texts().Draw(t, "id")
			add(bankmap.TradeKey(account, id), "trade "+account.String()+" "+id)
			add(bankmap.ClientCancelKey(account, id), "client cancel "+account.String()+" "+id)
			add(bankmap.CancelKey(int64(account)), "cancel "+account.String())
			add(bankmap.ReplayCancelKey(account), "replayed cancel "+account.String())
			add(bankmap.CashKey(id), "cash "+id)
		}
		id := texts().Draw(t, "hashed")
		add(bankmap.TradeKey(1, id), "trade 1 "+id)
		add(bankmap.TradeKey(1, bankmap.Hashed(id)), "trade 1 "+bankmap.Hashed(id))
	})
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	for _, o := range []bankmap.Origin{
		{Kind: bankmap.OriginTrade, ID: 812, At: 1381132800464}, {Kind: bankmap.OriginCancel, ID: 1}, {Kind: bankmap.OriginCash, ID: 12, At: 1},
	} {
		if back, ok := bankmap.ParseOrigin(o.String()); !ok || back != o {
			t.Errorf("%s is read as %+v, %t", o, back, ok)
		}
	}
	if text := (bankmap.Origin{Kind: bankmap.OriginTrade, ID: 812, At: 1381132800464}).String(); text != "bank:trade/812@1381132800464" {
		t.Errorf("an origin is written %s", text)
	}
	for _, source := range []string{
		"", "hotswap", "bank:", "bank:trade", "bank:trade/812", "bank:trade/0@1", "bank:trade/-1@1", "bank:trade/812@", "bank:trade/0812@1", "bank:roll/1@1", "bank:trade/8@1 ",
	} {
		if o, ok := bankmap.ParseOrigin(source); ok {
			t.Errorf("%q is read as %+v", source, o)
		}
	}
}

func TestAccountName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Ann", strings.Repeat("x", 256)} {
		if in, fits := bankmap.AccountName(name); !fits || in != name {
			t.Errorf("%q becomes %q", name, in)
		}
	}
	for _, name := range []string{strings.Repeat("é", 256), "a\tb", bankmap.Hashed("Ann")} {
		if in, fits := bankmap.AccountName(name); fits || !bankmap.IsHashed(in) || len(in) > 256 {
			t.Errorf("%q becomes %q", name, in)
		}
	}
}
