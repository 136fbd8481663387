package cutover

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/bkledger/bk/compat/cutover/gate"
	"github.com/bkledger/bk/compat/facade/mode"
)

var plain = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// checker gathers what is wrong with a runbook.
type checker struct {
	r      *Runbook
	line   func(path ...any) int
	errs   []error
	effect map[string]bool // the steps so far that have effects
	names  map[string]bool
	point  bool // the point of no return is among the steps so far
}

func (r *Runbook) check(line func(path ...any) int) []error {
	c := &checker{r: r, line: line, effect: map[string]bool{}, names: map[string]bool{}}
	if !plain.MatchString(r.Name) {
		c.wrong([]any{"name"}, "needed: small letters, digits and -, at most 63")
	}
	if _, err := mode.Parse(r.Stage); err != nil && r.Stage != StageFinal {
		c.wrong([]any{"stage"}, "%q is no mode, nor %s", r.Stage, StageFinal)
	}
	if r.ArmFor < time.Minute || r.ArmFor > 31*24*time.Hour {
		c.wrong([]any{"arm-for"}, "%s is not between 1m and 744h: how long a dry run's token is good", r.ArmFor)
	}
	for _, err := range r.Targets.Validate() {
		c.wrong([]any{"targets", firstField(err)}, "%v", err)
	}
	if len(r.Steps) == 0 {
		c.wrong([]any{"steps"}, "needed")
	}
	for i := range r.Steps {
		c.step(&r.Steps[i], []any{"steps", i}, false)
	}
	return c.errs
}

// firstField is the field that an error begins with.
func firstField(err error) string {
	name, _, _ := strings.Cut(err.Error(), ":")
	name, _, _ = strings.Cut(name, ".")
	return name
}

// wrong notes a fault, under the line and the path of what is wrong.
func (c *checker) wrong(path []any, format string, args ...any) {
	var at string
	for _, p := range path {
		switch p := p.(type) {
		case int:
			at += fmt.Sprintf("[%d]", p)
		case string:
			at = join(at, p)
		}
	}
	c.errs = append(c.errs, fmt.Errorf("line %d: %s: %s", c.line(path...), at, fmt.Sprintf(format, args...)))
}

func under(path []any, more ...any) []any { return append(append([]any{}, path...), more...) }

func (c *checker) step(s *Step, path []any, back bool) {
	if !plain.MatchString(s.Name) {
		c.wrong(under(path, "name"), "needed: small letters, digits and -, at most 63")
	} else if c.names[s.Name] {
		c.wrong(under(path, "name"), "there is another step %s", s.Name)
	}
	c.names[s.Name] = true
	if s.Timeout < 0 || s.Timeout > 7*24*time.Hour {
		c.wrong(under(path, "timeout"), "%s is not between 0s and 168h", s.Timeout)
	}
	if s.Effects != "" && s.Effects != effectsNone {
		c.wrong(under(path, "effects"), "%q: it can only be %s", s.Effects, effectsNone)
	}
	set := s.kinds()
	if len(set) != 1 {
		c.wrong(path, "a step is one of %s; this is %d of them", strings.Join([]string{KindCommand, KindSQL, KindMode, KindWait, KindApprove, KindPointOfNoReturn}, ", "), len(set))
		return
	}
	kind := set[0]
	if (s.Effects != "" || s.Idempotent) && kind != KindCommand && kind != KindSQL {
		c.wrong(path, "effects and idempotent are said of a command and of sql; what a %s does is known", kind)
	}
	c.gates(s.Gates, under(path, "gates"))
	c.kind(s, under(path, kind), back)
	if s.HasEffects() && !back {
		c.effect[s.Name] = true
	}
	switch {
	case back && len(s.Back) > 0:
		c.wrong(under(path, "back"), "a step of the way back has none itself")
	case !s.HasEffects() && len(s.Back) > 0:
		c.wrong(under(path, "back"), "a step without effects has nothing to take back")
	case c.point && len(s.Back) > 0:
		c.wrong(under(path, "back"), "behind the point of no return there is no way back")
	case !back && !c.point && s.HasEffects() && s.Back == nil:
		c.wrong(path, "it has effects, so it needs back: the steps that undo it, or [] where there is nothing to undo; or it is effects: none")
	}
	for i := range s.Back {
		c.step(&s.Back[i], under(path, "back", i), true)
	}
}

func (c *checker) gates(gates []gate.Gate, path []any) {
	for i := range gates {
		g := &gates[i]
		for _, err := range g.Validate(&c.r.Targets) {
			c.wrong(under(path, i, firstField(err)), "%v", err)
		}
		if g.After != "" && !c.effect[g.After] {
			c.wrong(under(path, i, "after"), "%q is no step before this one that has effects", g.After)
		}
	}
}

func (c *checker) kind(s *Step, path []any, back bool) {
	switch {
	case s.Command != nil:
		if (len(s.Command.Argv) > 0) == (s.Command.Shell != "") {
			c.wrong(under(path, "argv"), "one of argv and shell is needed")
		} else if len(s.Command.Argv) > 0 && s.Command.Argv[0] == "" {
			c.wrong(under(path, "argv", 0), "the program is empty")
		}
	case s.SQL != nil:
		if c.r.Targets.Databases[s.SQL.Database] == "" {
			c.wrong(under(path, "database"), "%q is none of targets.databases", s.SQL.Database)
		}
		if strings.TrimSpace(s.SQL.Statement) == "" {
			c.wrong(under(path, "statement"), "needed")
		}
	case s.Mode != nil:
		c.mode(s.Mode, path, back)
	case s.Wait != nil:
		if (len(s.Wait.Until) > 0) == (s.Wait.For > 0) {
			c.wrong(under(path, "until"), "one of until and for is needed")
		}
		if s.Wait.Every < 0 || s.Wait.For < 0 || s.Wait.For > s.timeout() {
			c.wrong(under(path, "for"), "every and for must not be negative, and for not above the step's time-out (%s)", s.timeout())
		}
		c.gates(s.Wait.Until, under(path, "until"))
	case s.Approve != nil:
		if back {
			c.wrong(path, "the way back asks nobody")
		}
		if s.Approve.Word == "" || strings.TrimSpace(s.Approve.Word) != s.Approve.Word {
			c.wrong(under(path, "word"), "needed, without blanks around it")
		}
		if s.Approve.Ask == "" {
			c.wrong(under(path, "ask"), "needed")
		}
	case s.PointOfNoReturn != nil:
		switch {
		case back:
			c.wrong(path, "the way back has no such point")
		case c.point:
			c.wrong(path, "there is one before it")
		}
		if !plain.MatchString(s.PointOfNoReturn.Name) {
			c.wrong(under(path, "name"), "needed: small letters, digits and -, at most 63")
		}
		if s.PointOfNoReturn.Ask == "" {
			c.wrong(under(path, "ask"), "needed")
		}
		c.point = true
	}
}

func (c *checker) mode(m *Mode, path []any, back bool) {
	if c.r.Targets.Facade == "" {
		c.wrong(path, "it needs targets.facade")
	}
	const longest = 10 * time.Minute
	if m.Wait < 0 || m.Wait > longest {
		c.wrong(under(path, "wait"), "%s is not between 0s and %s", m.Wait, longest)
	}
	switch {
	case (m.To != "") == m.Final:
		c.wrong(under(path, "to"), "one of to and final is needed")
	case m.Final && (back || !c.point):
		c.wrong(under(path, "final"), "it goes behind the point-of-no-return only")
	case m.To != "":
		if _, err := mode.Parse(m.To); err != nil {
			c.wrong(under(path, "to"), "%v", err)
		}
	}
}
