package books

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/facade/books/script"
)

// keepTexts stores texts under their SHA-256, to stay for ever.
func (b *Ledger) keepTexts(ctx context.Context, texts []string) error {
	if len(texts) == 0 {
		return nil
	}
	hashes, contents := make([][]byte, len(texts)), make([][]byte, len(texts))
	for i, text := range texts {
		sum := script.TextKey(text)
		hashes[i], contents[i] = sum[:], []byte(text)
	}
	_, err := b.pool.Exec(ctx, `INSERT INTO facade.books_overflow (hash, content)
		SELECT DISTINCT ON (h) h, c FROM unnest($1::bytea[], $2::bytea[]) AS g (h, c) ORDER BY h ON CONFLICT (hash) DO NOTHING`, hashes, contents)
	if err != nil {
		return fmt.Errorf("keep %d texts that are too long for BK: %w", len(texts), err)
	}
	return nil
}

// text gives the text behind what [bankmap.Hashed] made; anything else is itself.
func (b *Ledger) text(ctx context.Context, inBK string) (string, error) {
	if !bankmap.IsHashed(inBK) {
		return inBK, nil
	}
	if text, ok := b.texts.get(inBK); ok {
		return text, nil
	}
	_, digits, _ := strings.Cut(inBK, ":")
	hash, err := hex.DecodeString(digits)
	if err != nil || len(hash) != sha256.Size {
		return inBK, nil // booked by BK's own users
	}
	var content []byte
	err = b.pool.QueryRow(ctx, `SELECT content FROM facade.books_overflow WHERE hash = $1`, hash).Scan(&content)
	if errors.Is(err, pgx.ErrNoRows) {
		return inBK, nil
	}
	if err != nil {
		return "", fmt.Errorf("find the text of %s: %w", inBK, err)
	}
	b.texts.put(b.texts.now(), inBK, string(content))
	return string(content), nil
}
