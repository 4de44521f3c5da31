package docstore

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// order is a sort specification; an empty one sorts nothing.
type order []orderField

type orderField struct {
	path []string
	desc bool
}

// parseOrder reads {count: -1, name: 1}.
func parseOrder(spec bson.Raw) (order, error) {
	var o order
	for name, v := range elements(spec) {
		n, ok := wholeNumber(v)
		if v.Type == bson.TypeEmbeddedDocument {
			return nil, fail(codeBadValue, "sort by an expression (%s: %s) is not supported by docstore", name, show(v))
		}
		if !ok || n != 1 && n != -1 {
			return nil, fail(codeBadSortOrder, "$sort key ordering must be 1 (for ascending) or -1 (for descending), got %s: %s", name, show(v))
		}
		path, err := splitPath(name)
		if err != nil {
			return nil, err
		}
		o = append(o, orderField{path, n == -1})
	}
	return o, nil
}

// key is what a document has at one field: an array counts by its least item, or
// by its greatest in descending order.
func (f orderField) key(doc bson.Raw) (bson.RawValue, error) {
	values, err := keyValues(doc, f.path)
	if err != nil {
		return bson.RawValue{}, err
	}
	if f.desc {
		return slices.MaxFunc(values, compareValues), nil
	}
	return slices.MinFunc(values, compareValues), nil
}

// compare orders two documents.
func (o order) compare(a, b bson.Raw) (int, error) {
	for _, f := range o {
		x, err := f.key(a)
		if err != nil {
			return 0, err
		}
		y, err := f.key(b)
		if err != nil {
			return 0, err
		}
		c := compareValues(x, y)
		if f.desc {
			c = -c
		}
		if c != 0 {
			return c, nil
		}
	}
	return 0, nil
}

// sorter collects documents and gives them back in order. With a limit it keeps
// little more than that many at a time.
type sorter struct {
	order order
	limit int // 0 = none
	rows  []sortRow
	bytes int
}

type sortRow struct {
	keys []bson.RawValue
	doc  bson.Raw
}

// slack is how many rows beyond twice its limit a sorter gathers before it
// throws away what cannot be among the first.
const slack = 1024

// add takes a document, which must not change until sorted.
func (s *sorter) add(doc bson.Raw) error {
	row := sortRow{keys: make([]bson.RawValue, len(s.order)), doc: doc}
	for i, f := range s.order {
		var err error
		if row.keys[i], err = f.key(doc); err != nil {
			return err
		}
	}
	s.rows = append(s.rows, row)
	if s.bytes += len(doc); s.bytes > maxBuffered {
		return fail(codeMemoryLimit, "Sort exceeded memory limit of %d bytes. Use an index, a filter or a limit", maxBuffered)
	}
	if s.limit > 0 && len(s.rows) >= 2*s.limit+slack {
		s.cut()
	}
	return nil
}

// sorted ends the collecting.
func (s *sorter) sorted() []bson.Raw {
	s.cut()
	docs := make([]bson.Raw, len(s.rows))
	for i, row := range s.rows {
		docs[i] = row.doc
	}
	return docs
}

func (s *sorter) cut() {
	slices.SortStableFunc(s.rows, func(a, b sortRow) int {
		for i, f := range s.order {
			if c := compareValues(a.keys[i], b.keys[i]); c != 0 {
				if f.desc {
					return -c
				}
				return c
			}
		}
		return 0
	})
	if s.limit == 0 || len(s.rows) <= s.limit {
		return
	}
	for _, row := range s.rows[s.limit:] {
		s.bytes -= len(row.doc)
	}
	clear(s.rows[s.limit:])
	s.rows = s.rows[:s.limit]
}
