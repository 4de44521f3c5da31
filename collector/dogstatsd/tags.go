package dogstatsd

// NextTag cuts the first tag off the Tags of a line. A tag without a colon has
// no value (nil); of several colons the first ends the name. Empty tags (",,")
// are skipped. Tags that come twice are handed out twice. ok is false at the
// end.
func NextTag(tags []byte) (name, value, rest []byte, ok bool) {
	return nextTag(tags, ',', ':')
}

// SplitName cuts the tags off a name that has them as Graphite does
// ("disk.used;host=a;disk=sda"): tags is nil when there are none. A name that
// begins with the semicolon is no such name and stays whole.
// Source: https://graphite.readthedocs.io/en/latest/tags.html
func SplitName(name []byte) (base, tags []byte) {
	if i := indexByte(name, ';'); i > 0 {
		return name[:i], name[i+1:]
	}
	return name, nil
}

// NextGraphiteTag is NextTag for the tags of SplitName: k=v with semicolons
// between. As the name of a line ends at its first colon, no tag in it has one.
func NextGraphiteTag(tags []byte) (name, value, rest []byte, ok bool) {
	return nextTag(tags, ';', '=')
}

func nextTag(tags []byte, separator, assign byte) (name, value, rest []byte, ok bool) {
	for len(tags) > 0 {
		tag := tags
		if i := indexByte(tags, separator); i >= 0 {
			tag, tags = tags[:i], tags[i+1:]
		} else {
			tags = nil
		}
		if len(tag) == 0 {
			continue
		}
		if i := indexByte(tag, assign); i >= 0 {
			return tag[:i], tag[i+1:], tags, true
		}
		return tag, nil, tags, true
	}
	return nil, nil, nil, false
}
