package local

import "sync"

// joined gives those who ask at the same time one answer. It is found out after all of them
// have asked, so that for each it is as true as one of his own. Of a hundred instances that end
// at once each asks which processes there are, and their number is of that order too.
type joined[T any] struct {
	asking sync.Mutex // held while an answer is found out

	mu   sync.Mutex
	next *answer[T] // for who asks now
}

type answer[T any] struct {
	once  sync.Once
	value T
}

// ask gives what read gives.
func (j *joined[T]) ask(read func() T) T {
	j.mu.Lock()
	if j.next == nil {
		j.next = new(answer[T])
	}
	a := j.next
	j.mu.Unlock()
	a.once.Do(func() {
		j.asking.Lock()
		defer j.asking.Unlock()
		j.mu.Lock()
		j.next = nil // who asks from here on has asked after it was found out
		j.mu.Unlock()
		a.value = read()
	})
	return a.value
}
