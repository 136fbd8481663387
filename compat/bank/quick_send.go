package bank

// plain reads a string that is not empty and has no escape.
func (q *quick) plain() string {
	if q.at == len(q.text) || q.text[q.at] != '"' {
		q.failed = true
		return ""
	}
	rest := q.text[q.at+1:]
	for i := range len(rest) {
		c := rest[i]
		if c == '"' {
			q.at += i + 2
			q.failed = q.failed || i == 0
			return rest[:i]
		}
		if c < ' ' || c == '\\' {
			break
		}
	}
	q.failed = true
	return ""
}

// fixed reads a decimal in its one spelling whose digits fit a word.
func (q *quick) fixed() (number int64, fraction int) {
	q.need(`"`)
	negative := q.maybe("-")
	rest := q.text[q.at:]
	i, point := 0, -1
	for ; i < len(rest); i++ {
		c := rest[i]
		if digit := c - '0'; digit < 10 {
			number = number*10 + int64(digit)
		} else if c == '.' && point < 0 {
			point = i
		} else {
			break
		}
	}
	whole, digits := i, i
	if point >= 0 {
		whole, fraction, digits = point, i-point-1, i-1
		q.failed = q.failed || fraction == 0 || rest[i-1] == '0'
	}
	q.failed = q.failed || whole == 0 || whole > 1 && rest[0] == '0' || digits > wordDigits || negative && number == 0
	q.at += i
	q.need(`"`)
	if negative {
		number = -number
	}
	return number, fraction
}

// compact steps over a value that is kept as given, and is as appendCompact writes it: no space, no escapes.
func (q *quick) compact() string {
	from, escapes := q.at, q.escapes
	if q.failed || !q.value(2) || q.escapes > escapes || q.text[from:q.at] == "null" {
		q.failed = true
		return ""
	}
	value := q.text[from:q.at]
	inText := false
	for i := range len(value) {
		switch value[i] {
		case '"':
			inText = !inText
		case ' ', '\t', '\n', '\r':
			q.failed = q.failed || !inText
		}
	}
	return value
}

func (q *quick) sendID(name string, to Values) {
	q.need(name)
	to.Integer(int64(q.id()))
}

func (q *quick) sendInteger(name string, to Values) {
	q.need(name)
	to.Integer(q.integer())
}

// sendDay is of a date that is not 0.
func (q *quick) sendDay(name string, to Values) {
	q.need(name)
	date := q.date()
	q.failed = q.failed || date == 0
	to.Integer(int64(date))
}

func (q *quick) sendText(name string, to Values) {
	q.need(name)
	to.Text(q.plain())
}

func (q *quick) sendGiven(name string, to Values) {
	if !q.maybe(name) {
		to.Null()
		return
	}
	to.Text(q.plain())
}

func (q *quick) sendKept(name string, to Values) {
	if !q.maybe(name) {
		to.Null()
		return
	}
	to.Text(q.compact())
}

func (q *quick) sendFlag(name string, to Values) {
	q.need(name)
	to.Flag(q.flag())
}

func (q *quick) sendDecimal(name string, to Values) {
	q.need(name)
	if err := to.Fixed(q.fixed()); err != nil {
		q.failed = true
	}
}

// sendLink is of an id, or null.
func (q *quick) sendLink(name string, to Values) {
	q.need(name)
	if q.maybe("null") {
		to.Null()
		return
	}
	to.Integer(int64(q.id()))
}
