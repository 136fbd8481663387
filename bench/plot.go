package bench

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"math"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// point is a percentile as -log10(1 - share), so 2 is p99, and its latency in milliseconds.
type point struct{ x, y float64 }

// curveOf samples the percentiles of a histogram, as far out as it has values for.
func curveOf(h *hdrhistogram.Histogram) []point {
	var curve []point
	last := min(4, math.Log10(float64(max(1, h.TotalCount()))))
	for x := 0.0; x <= last; x += 0.05 {
		curve = append(curve, point{x, max(0.01, milliseconds(h, 100*(1-math.Pow(10, -x))))})
	}
	return curve
}

// Sizes of the plot in pixels.
const (
	plotWidth, plotLeft  = 1000, 360
	barHeight, barPitch  = 16, 24
	curveHeight, topGap  = 360, 60
	curveLeft, rightEdge = 70, 960
)

var colours = []string{"#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#bf3989", "#57606a"}

// WriteSVG draws the throughput of each way's best configuration, and the percentiles of the latency.
func (r *Report) WriteSVG(w io.Writer) error {
	var b bytes.Buffer
	var best []Side
	for _, s := range r.Sides {
		if s.Best {
			best = append(best, s)
		}
	}
	top := topGap + len(best)*barPitch + 80
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", plotWidth, top+curveHeight+60)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	text(&b, 20, 28, "start", fmt.Sprintf("Entries a second, durable, medians of %s (%d CPUs, Postgres %s)", plural(r.Rounds, "round"), r.CPUs, r.Postgres), `font-size="16"`)
	r.drawBars(&b, best)
	text(&b, 20, top-20, "start", "Latency in ms by percentile", `font-size="16"`)
	r.drawCurves(&b, float64(top))
	b.WriteString("</svg>\n")
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("bench: write the plot: %w", err)
	}
	return nil
}

// WriteHTML writes a page with the plot and the text.
func (r *Report) WriteHTML(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>bk bench append</title></head>\n<body>\n")
	if err := r.WriteSVG(&b); err != nil {
		return err
	}
	var table strings.Builder
	if err := r.WriteText(&table); err != nil {
		return err
	}
	fmt.Fprintf(&b, "<pre>%s</pre>\n</body></html>\n", html.EscapeString(table.String()))
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("bench: write the page: %w", err)
	}
	return nil
}

func (r *Report) drawBars(b *bytes.Buffer, best []Side) {
	most := 1.0
	for _, s := range best {
		most = max(most, s.EntriesPerSecond)
	}
	for i, s := range best {
		y := topGap + i*barPitch
		width := (rightEdge - 120 - plotLeft) * s.EntriesPerSecond / most
		text(b, plotLeft-8, y+barHeight-3, "end", s.Way, "")
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"><title>%s</title></rect>`+"\n", plotLeft, y, max(1, width), barHeight,
			colours[0], html.EscapeString(s.Config))
		text(b, plotLeft+int(width)+8, y+barHeight-3, "start", fmt.Sprintf("%.0f  (%.3f)", s.EntriesPerSecond, s.ToRaw), "")
	}
	text(b, plotLeft, topGap+len(best)*barPitch+14, "start", "in brackets: share of raw COPY", `fill="#57606a"`)
}

// drawCurves draws the open loops, the engine's best closed loop, and that of INSERT, both axes logarithmic.
func (r *Report) drawCurves(b *bytes.Buffer, top float64) {
	type line struct {
		name  string
		curve []point
	}
	var lines []line
	for _, o := range r.OpenLoop {
		lines = append(lines, line{"open loop, " + o.name(), o.curve})
	}
	for _, s := range r.Sides {
		if s.Best && (s.Way == wayEngine || s.Way == wayStream || s.Way == wayInsert64) {
			lines = append(lines, line{s.Way + ", closed loop", s.curve})
		}
	}
	lowest, highest := math.Inf(1), math.Inf(-1)
	for _, l := range lines {
		for _, p := range l.curve {
			lowest, highest = min(lowest, math.Floor(math.Log10(p.y))), max(highest, math.Ceil(math.Log10(p.y)))
		}
	}
	if lowest >= highest {
		return
	}
	x := func(v float64) float64 { return curveLeft + v/4*(rightEdge-curveLeft) }
	y := func(log float64) float64 { return top + curveHeight*(highest-log)/(highest-lowest) }
	for log := lowest; log <= highest; log++ {
		grid(b, x(0), y(log), x(4), y(log))
		text(b, curveLeft-8, int(y(log))+4, "end", fmt.Sprintf("%g", math.Pow(10, log)), "")
	}
	for i, name := range []string{"0", "p90", "p99", "p99.9", "p99.99"} {
		grid(b, x(float64(i)), y(highest), x(float64(i)), y(lowest))
		text(b, int(x(float64(i))), int(top)+curveHeight+18, "middle", name, "")
	}
	for i, l := range lines {
		colour := colours[i%len(colours)]
		var path strings.Builder
		for _, p := range l.curve {
			fmt.Fprintf(&path, "%.1f,%.1f ", x(p.x), y(math.Log10(p.y)))
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.TrimSpace(path.String()), colour)
		text(b, curveLeft+12, int(top)+18+i*18, "start", l.name, `fill="`+colour+`"`)
	}
}

func text(b *bytes.Buffer, x, y int, anchor, s, more string) {
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="%s" %s>%s</text>`+"\n", x, y, anchor, more, html.EscapeString(s))
}

func grid(b *bytes.Buffer, x1, y1, x2, y2 float64) {
	fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#d0d7de"/>`+"\n", x1, y1, x2, y2)
}
