package loadgen

import (
	"fmt"
	"time"
)

// Form says which shape, in plain data, so that it can be told to another process. Which
// fields a kind takes is told by the function that makes its shape.
type Form struct {
	Kind   FormKind
	Rate   float64       // of all but steps, requests per second: of a ramp where it begins, of a sine the mean
	To     float64       // of a ramp
	Over   time.Duration // of a ramp
	Swing  float64       // of a sine
	Period time.Duration // of a sine
	Levels []Level       // of steps
}

// FormKind is a kind of shape.
type FormKind uint8

// The kinds of shapes. The zero value is a constant rate.
const (
	ConstantForm FormKind = iota
	RampForm
	StepsForm
	SineForm
)

// Shape makes the shape.
func (f Form) Shape() (Shape, error) {
	switch f.Kind {
	case ConstantForm:
		return Constant(f.Rate)
	case RampForm:
		return Ramp(f.Rate, f.To, f.Over)
	case StepsForm:
		return Steps(f.Levels)
	case SineForm:
		return Sine(f.Rate, f.Swing, f.Period)
	}
	return nil, fmt.Errorf("shape: kind %d is not known: have all processes be of one version", f.Kind)
}
