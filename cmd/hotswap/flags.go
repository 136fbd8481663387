package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"
)

// flagged gives a configuration's errors, which begin with a field's name, under the names of the flags that set them. One flag is told off once.
func flagged(err error, flags map[string]string) error {
	var all []error
	told := map[string]bool{}
	for _, fault := range leaves(err) {
		field, what, ok := strings.Cut(fault.Error(), ": ")
		if flag := flags[field]; ok && flag != "" {
			field, fault = flag, fmt.Errorf("%s: %s", flag, what)
		}
		if strings.HasPrefix(field, "--") && told[field] {
			continue
		}
		told[field] = true
		all = append(all, fault)
	}
	return errors.Join(all...)
}

// leaves gives the errors that were joined.
func leaves(err error) (all []error) {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, one := range joined.Unwrap() {
		all = append(all, leaves(one)...)
	}
	return all
}

// within refuses a duration that is out of bounds; nil if it is fine.
func within(flag string, d, least, most time.Duration) error {
	if d < least || d > most {
		return fmt.Errorf("%s: %s is not between %s and %s", flag, d, least, most)
	}
	return nil
}

// portsFree makes sure that nobody listens at the addresses, by flag: what is started before would be started in vain.
func portsFree(ctx context.Context, addresses map[string]string) error {
	var all []error
	var config net.ListenConfig
	var held []net.Listener // until all are looked at: two flags with one address are seen
	for _, flag := range slices.Sorted(maps.Keys(addresses)) {
		l, err := config.Listen(ctx, "tcp", addresses[flag])
		if err != nil {
			all = append(all, fmt.Errorf("%s: %w", flag, err))
			continue
		}
		held = append(held, l)
	}
	for _, l := range held {
		if err := l.Close(); err != nil {
			all = append(all, fmt.Errorf("look for a free port: %w", err))
		}
	}
	return errors.Join(all...)
}
