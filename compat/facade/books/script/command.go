package script

import (
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
)

// Where the extras of a call are more than extrasTogether bytes, only those of at most extrasEach go into BK's request, which has a limit of 8 MiB.
const (
	extrasTogether = 3 << 20
	extrasEach     = 1 << 10
)

// PutExtras puts what BK's trades have no field for into the metadata of the commands of one call, or the hash of it. It gives the texts that are to be kept elsewhere.
func PutExtras(commands []*bkv1.Command, extras []string) (elsewhere []string) {
	most, together := bankmap.MaxInline, 0
	for _, text := range extras {
		together += len(text)
	}
	if together > extrasTogether {
		most = extrasEach
	}
	for i, text := range extras {
		if text == "" {
			continue
		}
		if !bankmap.Inline(text, most) {
			elsewhere = append(elsewhere, text)
			text = bankmap.Hashed(text)
		}
		commands[i].Metadata = map[string]string{bankmap.MetadataKey: text}
	}
	return elsewhere
}

// Decided says of a command that books a trade that Bank booked it first, under an id, at a time in milliseconds.
func Decided(command *bkv1.Command, id bank.ID, at int64) {
	command.Source = bankmap.Origin{Kind: bankmap.OriginTrade, ID: id, At: at}.String()
}

// Cash makes the command of a cash movement that Bank made.
func Cash(c *bank.Cash, id bank.ID, at int64) *bkv1.Command {
	command := bankmap.FromCash(c)
	command.Source = bankmap.Origin{Kind: bankmap.OriginCash, ID: id, At: at}.String()
	return command
}

// Cancel makes the command of a cancel that Bank made of its trade of an id, which BK booked under a key.
func Cancel(id bank.ID, key string, at int64) *bkv1.Command {
	return &bkv1.Command{
		Key: bankmap.ReplayCancelKey(id), Source: bankmap.Origin{Kind: bankmap.OriginCancel, ID: id, At: at}.String(),
		Command: &bkv1.Command_Cancel{Cancel: &bkv1.Cancel{Target: &bkv1.Target{Key: key}, UnlessSettled: true}},
	}
}
