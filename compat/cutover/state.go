package cutover

import (
	"github.com/bkledger/bk/compat/cutover/evidence"
)

// progress is what the log says of a run.
type progress struct {
	run      int
	first    evidence.Record // its first
	about    runRecord
	begun    map[string]bool       // steps that were ever begun with an effect, or the chance of one
	open     map[string]bool       // begun, and not ended
	ended    map[string]*endRecord // the latest end of each
	asked    map[string]*askRecord // questions to people that are open
	question string                // the step of which nobody knows how it ended
	settled  map[string]*settledRecord
	passed   bool // the point of no return
	back     *reasonRecord
	backFrom string // the step that failed
	finish   *finishRecord
	last     evidence.Record // its last
}

// runs reads all runs out of a log.
func runs(records []evidence.Record) (all []*progress, err error) {
	for _, rec := range records {
		if rec.Kind == recRun {
			p := &progress{
				run: rec.Run, first: rec, begun: map[string]bool{}, open: map[string]bool{}, ended: map[string]*endRecord{}, asked: map[string]*askRecord{}, settled: map[string]*settledRecord{},
			}
			if p.about, err = as[runRecord](rec); err != nil {
				return nil, err
			}
			all = append(all, p)
		}
		if len(all) == 0 {
			continue
		}
		p := all[len(all)-1]
		if p.last = rec; rec.Kind != recRun {
			if err := p.add(rec); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// add takes a record into account.
func (p *progress) add(rec evidence.Record) error {
	switch rec.Kind {
	case recBegin:
		b, err := as[beginRecord](rec)
		if err != nil {
			return err
		}
		p.open[rec.Step] = true
		p.question = ""
		delete(p.settled, rec.Step)
		if !b.Pretend {
			p.begun[rec.Step] = true
		}
	case recEnd:
		e, err := as[endRecord](rec)
		if err != nil {
			return err
		}
		delete(p.open, rec.Step)
		delete(p.asked, rec.Step)
		p.ended[rec.Step] = &e
		p.question = ""
		for _, s := range p.about.Steps {
			if s.Name == rec.Step && s.Kind == KindPointOfNoReturn && e.OK {
				p.passed = true
			}
		}
	case recAsk:
		a, err := as[askRecord](rec)
		if err != nil {
			return err
		}
		p.asked[rec.Step] = &a
	case recQuestion:
		p.question = rec.Step
	case recSettled:
		s, err := as[settledRecord](rec)
		if err != nil {
			return err
		}
		p.settled[rec.Step] = &s
		p.question = ""
	case recBack:
		b, err := as[reasonRecord](rec)
		if err != nil {
			return err
		}
		p.back, p.backFrom = &b, rec.Step
	case recFinish:
		f, err := as[finishRecord](rec)
		if err != nil {
			return err
		}
		p.finish = &f
	}
	return nil
}

// done reports whether a step has ended well.
func (p *progress) done(step string) bool {
	e := p.ended[step]
	return e != nil && e.OK && !p.open[step]
}
