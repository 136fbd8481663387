package child

import (
	"bytes"
	"os"
)

// Tail gives the end of a log, whole lines of up to size bytes together; what goes wrong is the answer then.
func Tail(path string, size int64) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	from := max(0, info.Size()-size)
	buf := make([]byte, info.Size()-from)
	n, err := f.ReadAt(buf, from)
	if err != nil {
		return err.Error()
	}
	buf = buf[:n]
	if line := bytes.IndexByte(buf, '\n'); from > 0 && line >= 0 {
		buf = buf[line+1:]
	}
	return string(buf)
}
