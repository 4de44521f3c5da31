package workshop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Collector asks Prometheus' HTTP API at a URL.
type Collector struct{ URL string }

// longestAnswer bounds what is read of an answer, in bytes.
const longestAnswer = 1 << 20

// Ask implements Asker. A value that is no number is none.
func (c Collector) Ask(ctx context.Context, expr string) ([]float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(c.URL, "/")+"/api/v1/query?query="+url.QueryEscape(expr), nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", expr, err)
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", expr, err)
	}
	defer got.Body.Close()
	var answer struct {
		Error string `json:"error"`
		Data  struct {
			Type   string          `json:"resultType"`
			Result json.RawMessage `json:"result"`
		} `json:"data"`
	}
	err = json.NewDecoder(io.LimitReader(got.Body, longestAnswer)).Decode(&answer)
	switch {
	case answer.Error != "":
		return nil, fmt.Errorf("ask %s: %s", expr, answer.Error)
	case err != nil:
		return nil, fmt.Errorf("ask %s: %s: %w", expr, got.Status, err)
	}
	values, err := valuesOf(answer.Data.Type, answer.Data.Result)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", expr, err)
	}
	return values, nil
}

// valuesOf reads a vector, or a scalar, as the API writes it: [time, "value"].
func valuesOf(kind string, result []byte) (values []float64, err error) {
	type point [2]any
	var points []point
	switch kind {
	case "vector":
		var vector []struct {
			Value point `json:"value"`
		}
		err = json.Unmarshal(result, &vector)
		for _, v := range vector {
			points = append(points, v.Value)
		}
	case "scalar":
		points = make([]point, 1)
		err = json.Unmarshal(result, &points[0])
	default:
		err = errors.New("want a number, or several; got " + strconv.Quote(kind))
	}
	if err != nil {
		return nil, err
	}
	for _, p := range points {
		text, _ := p[1].(string)
		if v, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	return values, nil
}
