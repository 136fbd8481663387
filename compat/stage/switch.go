package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
)

// Switch takes the façade one step on or back; it tries for up to 30 s.
func (f Facade) Switch(ctx context.Context, to mode.Mode) error {
	const wait = 30 * time.Second
	body, err := json.Marshal(facade.SwitchRequest{To: string(to), Who: "test", Why: "test", WaitMS: wait.Milliseconds()})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.Admin+"/mode", bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("switch to %s: %w", to, err)
	}
	defer func() { _ = response.Body.Close() }() // it was read
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("switch to %s: read the answer: %w", to, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("switch to %s: status %d: %s", to, response.StatusCode, answer)
	}
	return nil
}
