package page

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// browser finds a headless one, or skips.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("there is no Chromium on this machine; compat/parity/report/install fetches one")
	return ""
}

// browse opens a URL and gives what the browser prints.
func browse(t *testing.T, program, url string, flags ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	home := t.TempDir() // also of what a browser leaves in the temporary folder
	args := append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--hide-scrollbars", "--disable-dev-shm-usage", "--user-data-dir=" + filepath.Join(home, "profile"), "--window-size=1280,1200",
	}, flags...)
	cmd := exec.CommandContext(ctx, program, append(args, url)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+home)
	var out, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errors
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, errors.String())
	}
	return out.String()
}

// file writes the page and gives its URL.
func file(t *testing.T, s State) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "page.html")
	var text bytes.Buffer
	if err := File(&text, s); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

// TestInBrowser looks at the page in a real browser, in the middle of a switch and at the end: its text says the numbers, and its picture has what it should have.
func TestInBrowser(t *testing.T) {
	t.Parallel()
	program := browser(t)
	for _, c := range []struct {
		name  string
		state State
		want  []string
		not   string
		line  [3]uint32 // the colour of the active path
	}{
		{"middle", middle(), []string{
			"Bank answers, BK follows → BK answers, Bank follows", "writes held", "17 waiting", "12,345", "151 requests/s", "4.3 ms", "31.5 ms", "held 43.0 ms", "73,808", "2013-10-08",
			`class="running"`, `id="w-bank" d="M372 150 C430 150 420 75 478 75"`, `class="held"`,
		}, "Bank is replaced", [3]uint32{0xa8, 0x65, 0x08}},
		{"end", end(), []string{"Bank is replaced. No client noticed.", "switched off", "BK answers, alone", "writes open", "Reports: hotswap-demo"}, "writes held<", [3]uint32{0x1f, 0x6f, 0x54}},
		{"failed", failed(), []string{"The swap did not hold.", "&lt;/script&gt;&lt;b&gt;2&lt;/b&gt; differences", `class="error"`, `class="failed"`}, "No client noticed", [3]uint32{0xb3, 0x36, 0x2b}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := file(t, c.state)
			dom := browse(t, program, url, "--dump-dom")
			for _, want := range c.want {
				if !strings.Contains(dom, want) {
					t.Errorf("%q is not on the page", want)
				}
			}
			if body := dom[strings.Index(dom, "<body>"):strings.Index(dom, "<script>")]; strings.Contains(body, c.not) {
				t.Errorf("%q is on the page", c.not)
			}
			shot := filepath.Join(t.TempDir(), "page.png")
			browse(t, program, url, "--screenshot="+shot)
			ink := colors(t, shot)
			if ink[c.line] < 100 {
				t.Errorf("only %d pixels of %x", ink[c.line], c.line)
			}
			if ink[[3]uint32{0xff, 0xff, 0xff}] < 300_000 || len(ink) < 100 { // text has many shades
				t.Errorf("%d white pixels, %d colours: is there a page?", ink[[3]uint32{0xff, 0xff, 0xff}], len(ink))
			}
			keep(t, shot, "demo-"+c.name+".png")
		})
	}
	dark := filepath.Join(t.TempDir(), "dark.png")
	browse(t, program, file(t, end()), "--blink-settings=preferredColorScheme=0", "--screenshot="+dark)
	if ink := colors(t, dark); ink[[3]uint32{0x1a, 0x20, 0x29}] < 300_000 || ink[[3]uint32{0x5c, 0xc7, 0x9c}] < 100 {
		t.Errorf("dark: %d pixels of paper, %d of the active path", ink[[3]uint32{0x1a, 0x20, 0x29}], ink[[3]uint32{0x5c, 0xc7, 0x9c}])
	}
	keep(t, dark, "demo-dark.png")
}

// TestLiveInBrowser: events change the page that was opened.
func TestLiveInBrowser(t *testing.T) {
	t.Parallel()
	program := browser(t)
	later := func() State {
		s := end()
		s.Requests = 987_654
		return s
	}
	mux := http.NewServeMux()
	mux.Handle("/", Handler(middle, nil))
	done := make(chan struct{})
	mux.Handle("/events", Handler(later, done))
	server := httptest.NewServer(mux)
	defer server.Close()
	defer close(done)
	for until := time.Now().Add(time.Minute); ; {
		dom := browse(t, program, server.URL+"/", "--dump-dom")
		if strings.Contains(dom, "987,654") && strings.Contains(dom, "Bank is replaced") && strings.Contains(dom, ">live<") {
			return
		}
		if !strings.Contains(dom, "12,345") {
			t.Fatal("the page has neither the first figures nor the later ones")
		}
		if time.Now().After(until) { // the browser prints the page when it is loaded, which may be before the first event
			t.Fatal("no event has changed the page")
		}
	}
}

// colors counts pixels by their colour.
func colors(t *testing.T, path string) map[[3]uint32]int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return count(picture)
}

func count(picture image.Image) map[[3]uint32]int {
	all := map[[3]uint32]int{}
	size := picture.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			r, g, b, _ := picture.At(x, y).RGBA()
			all[[3]uint32{r >> 8, g >> 8, b >> 8}]++
		}
	}
	return all
}

// keep copies a picture to the folder that BK_PICTURES names, for people.
func keep(t *testing.T, path, name string) {
	t.Helper()
	dir := os.Getenv("BK_PICTURES")
	if dir == "" {
		return
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}
