package docstore

import (
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// createIndexes is the command createIndexes. Either all or none are made.
func (s *Server) createIndexes(r *request) (bson.D, error) {
	ns, err := r.collection()
	if err != nil {
		return nil, err
	}
	docs, err := r.documents("indexes")
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 {
		return nil, fail(codeBadValue, "Must specify at least one index to create")
	}
	specs := make([]indexSpec, len(docs))
	for i, doc := range docs {
		if specs[i], err = parseIndex(doc); err != nil {
			return nil, err
		}
	}
	var answer bson.D
	err = s.write(r, func(tx *txn) error {
		coll, err := openCollection(tx, ns, r.checkTime)
		if err != nil {
			return err
		}
		created := coll == nil
		if created {
			// Nothing can be refused by documents that are not there, so the
			// specifications are compared before the collection is made.
			coll = &collection{ns: ns, tx: tx, check: r.checkTime}
		}
		wanted, err := coll.newIndexes(specs)
		if err != nil {
			return err
		}
		if created {
			if coll, _, err = ensureCollection(tx, ns, r.checkTime); err != nil {
				return err
			}
		}
		before := len(coll.indexes) + 1
		if err := coll.buildIndexes(wanted); err != nil {
			return err
		}
		answer = bson.D{{Key: "numIndexesBefore", Value: int32(before)}, {Key: "numIndexesAfter", Value: int32(len(coll.indexes) + 1)},
			{Key: "createdCollectionAutomatically", Value: created}}
		if len(wanted) == 0 {
			answer = append(answer, bson.E{Key: "note", Value: "all indexes already exist"})
		}
		return nil
	})
	return answer, err
}

// newIndexes gives those of the specs that are not there yet, and refuses
// contradictions.
func (c *collection) newIndexes(specs []indexSpec) ([]indexSpec, error) {
	have := append([]indexSpec{{Name: "_id_", Key: idPattern(), Unique: true}}, c.entry.Indexes...)
	var wanted []indexSpec
next:
	for _, spec := range specs {
		if sameKey(spec.Key, idPattern()) {
			continue
		}
		for _, old := range have {
			switch same := sameKey(old.Key, spec.Key); {
			case old.Name != spec.Name && !same:
			case old.Name == spec.Name && same && old.Unique == spec.Unique:
				continue next
			case old.Name == spec.Name:
				return nil, fail(codeIndexKeySpecsConflict, "An existing index has the same name as the requested index. When index names are not specified, they are auto generated and can cause conflicts. Please refer to our documentation. Requested index: %s, existing index: %s", spec, old)
			default:
				return nil, fail(codeIndexOptionsConflict, "Index already exists with a different name: %s (requested %s)", old.Name, spec)
			}
		}
		have = append(have, spec)
		wanted = append(wanted, spec)
	}
	return wanted, nil
}

// buildIndexes makes all indexes or, if one is refused, none.
func (c *collection) buildIndexes(specs []indexSpec) error {
	for i, spec := range specs {
		err := c.buildIndex(spec)
		if err == nil {
			continue
		}
		for _, made := range slices.Clone(c.entry.Indexes[len(c.entry.Indexes)-i:]) {
			if undo := c.dropIndex(made); undo != nil {
				return undo
			}
		}
		return err
	}
	return nil
}

// String is the index as an error shows it.
func (s indexSpec) String() string {
	return fmt.Sprintf("{ v: 2, unique: %t, key: %s, name: %q }", s.Unique, showDocument(s.Key), s.Name)
}

func sameKey(a, b bson.Raw) bool { return compareDocuments(a, b, true) == 0 }

// parseIndex reads one index of createIndexes.
func parseIndex(doc bson.Raw) (spec indexSpec, err error) {
	f, err := statementFields("createIndexes.indexes", doc,
		[]string{"key", "name", "unique",
			"v",          // the version of a format that is not used here
			"background", // MongoDB ignores it since 4.2
			"ns",         // the collection's name, as old drivers repeat it
		},
		[]string{"sparse", "partialFilterExpression", "expireAfterSeconds", "hidden", "collation", "storageEngine", "weights",
			"default_language", "language_override", "textIndexVersion", "2dsphereIndexVersion", "bits", "min", "max", "wildcardProjection", "dropDups", "clustered"})
	if err != nil {
		return spec, err
	}
	var ok bool
	if spec.Name, ok = f["name"].StringValueOK(); !ok || spec.Name == "" {
		return spec, fail(codeFailedToParse, "The 'name' field is a required property of an index specification")
	}
	if spec.Unique, err = flag("createIndexes.indexes", "unique", f["unique"], false); err != nil {
		return spec, err
	}
	if f["key"].Type != bson.TypeEmbeddedDocument || len(f["key"].Value) == 5 {
		return spec, fail(codeCannotCreateIndex, "Index keys cannot be empty: index %s", spec.Name)
	}
	spec.Key = f["key"].Value
	for name, v := range elements(spec.Key) {
		if _, err := splitPath(name); err != nil {
			return spec, fail(codeCannotCreateIndex, "index %s: key '%s': %v", spec.Name, name, err)
		}
		if !isNumber(v) || !truthy(v) {
			return spec, fail(codeCannotCreateIndex, "index %s: key '%s': %s is not supported by docstore: only 1 and -1 are", spec.Name, name, show(v))
		}
	}
	if spec.Name == "_id_" && !sameKey(spec.Key, idPattern()) || spec.Name == "*" {
		return spec, fail(codeBadValue, "The index name '%s' is reserved", spec.Name)
	}
	return spec, nil
}

// listIndexes is the command listIndexes.
func (s *Server) listIndexes(r *request) (bson.D, error) {
	ns, err := r.collection()
	if err != nil {
		return nil, err
	}
	var docs []bson.Raw
	err = s.store.view(func(tx *txn) error {
		coll, err := openCollection(tx, ns, r.checkTime)
		if err != nil {
			return err
		}
		if coll == nil {
			return fail(codeNamespaceNotFound, "ns does not exist: %s", ns)
		}
		for _, spec := range append([]indexSpec{{Name: "_id_", Key: idPattern()}}, coll.entry.Indexes...) {
			d := bson.D{{Key: "v", Value: int32(2)}, {Key: "key", Value: spec.Key}, {Key: "name", Value: spec.Name}}
			if spec.Unique {
				d = append(d, bson.E{Key: "unique", Value: true})
			}
			doc, err := bson.Marshal(d)
			if err != nil {
				return err
			}
			docs = append(docs, doc)
		}
		return nil
	})
	return cursorAnswer(ns, "firstBatch", docs, 0), err
}

// dropIndexes is the command dropIndexes.
func (s *Server) dropIndexes(r *request) (bson.D, error) {
	ns, err := r.collection()
	if err != nil {
		return nil, err
	}
	which := r.args["index"]
	var before int
	err = s.write(r, func(tx *txn) error {
		coll, err := openCollection(tx, ns, r.checkTime)
		if err != nil {
			return err
		}
		if coll == nil {
			return fail(codeNamespaceNotFound, "ns not found %s", ns)
		}
		before = len(coll.indexes) + 1
		gone, err := coll.chooseIndexes(which)
		if err != nil {
			return err
		}
		for _, spec := range gone {
			if err := coll.dropIndex(spec); err != nil {
				return err
			}
		}
		return nil
	})
	return bson.D{{Key: "nIndexesWas", Value: int32(before)}}, err
}

// chooseIndexes finds the indexes that dropIndexes names: "*", a name, a key or
// a list of names.
func (c *collection) chooseIndexes(which bson.RawValue) ([]indexSpec, error) {
	is := func(spec indexSpec) bool { return which.Type == bson.TypeString && spec.Name == which.StringValue() }
	switch which.Type {
	case bson.TypeString:
		if which.StringValue() == "*" {
			return slices.Clone(c.entry.Indexes), nil
		}
		if which.StringValue() == "_id_" {
			return nil, fail(codeInvalidOptions, "cannot drop _id index")
		}
	case bson.TypeEmbeddedDocument:
		if sameKey(which.Value, idPattern()) {
			return nil, fail(codeInvalidOptions, "cannot drop _id index")
		}
		is = func(spec indexSpec) bool { return sameKey(spec.Key, which.Value) }
	case bson.TypeArray:
		var specs []indexSpec
		for _, name := range elements(which.Value) {
			if name.Type != bson.TypeString || name.StringValue() == "*" {
				return nil, fail(codeTypeMismatch, "dropIndexes: index has to list names, got %s", show(name))
			}
			found, err := c.chooseIndexes(name)
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(specs, func(s indexSpec) bool { return s.ID == found[0].ID }) {
				specs = append(specs, found...)
			}
		}
		return specs, nil
	default:
		return nil, wrongType("dropIndexes", "index", which, "string")
	}
	i := slices.IndexFunc(c.entry.Indexes, is)
	if i < 0 {
		return nil, fail(codeIndexNotFound, "index not found with name [%s]", strings.Trim(show(which), `"`))
	}
	return []indexSpec{c.entry.Indexes[i]}, nil
}
