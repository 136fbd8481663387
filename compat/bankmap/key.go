package bankmap

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
)

// Limits of BK on what comes from Bank.
const (
	maxKeyBytes  = 256 // of a key
	maxTextBytes = 256 // of ids and names that are kept as given

	// hashed stands before the SHA-256, in hexadecimal, of a text that BK can't hold.
	hashed = "sha256:"
)

const customerCode = "cust:"

// AccountCode is the code of Bank's account in BK.
func AccountCode(account bank.ID) string {
	var room [len(customerCode) + 20]byte
	return string(strconv.AppendInt(append(room[:0], customerCode...), int64(account), 10))
}

// AccountRef names Bank's account in BK.
func AccountRef(account bank.ID) *bkv1.AccountRef {
	ref := &bkv1.AccountRef{}
	setAccount(ref, account)
	return ref
}

func setAccount(ref *bkv1.AccountRef, account bank.ID) {
	ref.Id, ref.Code = int64(account), AccountCode(account)
}

// IsBankAccount reports whether an account of BK is one that Bank knows: the others belong to the house, or were opened by BK's own users.
func IsBankAccount(a *bkv1.Account) bool {
	return a.GetCode() == AccountCode(bank.ID(a.GetId()))
}

// TradeKey is the key of a trade's booking: "ACCOUNT/CLIENTID", or "ACCOUNT/sha256:HEX" where BK's key can't hold the client's id.
func TradeKey(account bank.ID, clientTradeID string) string {
	var room [maxKeyBytes]byte
	key := append(strconv.AppendInt(room[:0], int64(account), 10), '/')
	if !fitsKey(len(key), clientTradeID) {
		clientTradeID = Hashed(clientTradeID)
	}
	return string(append(key, clientTradeID...))
}

// CancelKey is the key of the cancel of the trade that BK knows under an id. It has no digits before the slash, as trades' keys have.
func CancelKey(trade int64) string { return "cancel/" + strconv.FormatInt(trade, 10) }

// ClientCancelKey is the key of a cancel that names the trade by the client's id.
func ClientCancelKey(account bank.ID, clientTradeID string) string {
	return keyOf("cancel:"+account.String()+"/", clientTradeID)
}

// ReplayCancelKey is the key of a cancel that Bank decided, by Bank's id of the trade.
func ReplayCancelKey(trade bank.ID) string { return "cancel:bank/" + trade.String() }

// CashKey is the key of a cash movement.
func CashKey(clientID string) string { return keyOf("cash/", clientID) }

// keyOf puts an id behind a prefix. An id that looks like a hash is hashed too, so that no two ids share a key.
func keyOf(prefix, id string) string {
	if fitsKey(len(prefix), id) {
		return prefix + id
	}
	return prefix + Hashed(id)
}

// fitsKey reports whether an id stands in a key, behind a prefix of some bytes, as it is.
func fitsKey(prefix int, id string) bool {
	return prefix+len(id) <= maxKeyBytes && !strings.HasPrefix(id, hashed) && plain(id)
}

// Hashed gives sha256: and the text's SHA-256 in hexadecimal.
func Hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hashed + hex.EncodeToString(sum[:])
}

// IsHashed reports whether a text is one that [Hashed] may have given.
func IsHashed(text string) bool { return strings.HasPrefix(text, hashed) }

// plain reports whether BK takes the text as a key, an id or a name, its length aside.
func plain(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] < ' ' || text[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(text)
}

// AccountName gives the name under which BK opens an account: the one given, or, where BK can't hold it, its hash; then the name itself has to be kept
// elsewhere.
func AccountName(name string) (inBK string, fits bool) {
	if len(name) <= maxTextBytes && plain(name) && !IsHashed(name) {
		return name, true
	}
	return Hashed(name), false
}
