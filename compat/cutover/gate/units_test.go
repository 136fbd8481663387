package gate

import "testing"

func TestUnits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Bytes{"0": 0, "512": 512, "1KiB": 1024, "1.5 MiB": 3 << 19, "20GiB": 20 << 30, "2TiB": 2 << 40} {
		var b Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want {
			t.Errorf("%s: %d, %v", text, b, err)
		}
		again := b
		if out, err := b.MarshalText(); err != nil || again.UnmarshalText(out) != nil || again != b {
			t.Errorf("%s: %s, %v", text, out, err)
		}
	}
	for text, want := range map[string]Share{"80%": 0.8, "0.5": 0.5, "100%": 1, "0": 0} {
		var p Share
		if err := p.UnmarshalText([]byte(text)); err != nil || p != want {
			t.Errorf("%s: %g, %v", text, p, err)
		}
		again := p
		if out, err := p.MarshalText(); err != nil || again.UnmarshalText(out) != nil || again != p {
			t.Errorf("%s: %s, %v", text, out, err)
		}
	}
	for _, text := range []string{"", "GiB", "-1", "1GB", "NaN", "9e30TiB"} {
		if err := new(Bytes).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is a size", text)
		}
	}
	for _, text := range []string{"", "%", "-1%", "101%", "2", "NaN"} {
		if err := new(Share).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is a share", text)
		}
	}
}

// TestPlaces: counts that overlap over the looks hold, others do not.
func TestPlaces(t *testing.T) {
	t.Parallel()
	at := func(settle int32) spot { return spot{"open", 20131007, settle} }
	looks := func(all ...map[spot]int64) side {
		c := side{}
		for i, l := range all {
			c.take(l, i == 0)
		}
		return c
	}
	for name, c := range map[string]struct {
		bank, bk side
		wrong    int
	}{
		"equal":               {looks(map[spot]int64{at(1): 5}), looks(map[spot]int64{at(1): 5}), 0},
		"one less":            {looks(map[spot]int64{at(1): 5}), looks(map[spot]int64{at(1): 4}), 1},
		"another day":         {looks(map[spot]int64{at(1): 5}), looks(map[spot]int64{at(2): 5}), 2},
		"behind, and moving":  {looks(map[spot]int64{at(1): 5}, map[spot]int64{at(1): 9}), looks(map[spot]int64{at(1): 4}, map[spot]int64{at(1): 8}), 0},
		"one less, for good":  {looks(map[spot]int64{at(1): 5}, map[spot]int64{at(1): 5}), looks(map[spot]int64{at(1): 4}, map[spot]int64{at(1): 4}), 1},
		"gone from one":       {looks(map[spot]int64{at(1): 5}, map[spot]int64{}), looks(map[spot]int64{}, map[spot]int64{}), 0},
		"come to one":         {looks(map[spot]int64{}, map[spot]int64{at(1): 3}), looks(map[spot]int64{}, map[spot]int64{}), 0},
		"there in both looks": {looks(map[spot]int64{at(1): 3}, map[spot]int64{at(1): 3}), looks(map[spot]int64{}, map[spot]int64{}), 1},
	} {
		if f, wrong := places([]string{"open"}, c.bank, c.bk); len(wrong) != c.wrong || f["places"] == 0 {
			t.Errorf("%s: %v, %v", name, f, wrong)
		}
	}
}
