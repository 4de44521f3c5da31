package socket

import "errors"

func openStreams(a Address, o Options) (*streams, error) {
	return nil, errors.New("not yet")
}

type streams struct {
	datagrams
	address Address
}
