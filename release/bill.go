package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"runtime/debug"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// billOf is the bill of materials of a binary: the modules that are linked into it, as it says itself, and the Go that it was
// made with, in CycloneDX 1.6. It has no serial number, which would be another one each time.
// Source: https://cyclonedx.org/docs/1.6/json/
func billOf(binary, version, commit string, at time.Time) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	self := cdx.Component{BOMRef: program, Type: cdx.ComponentTypeApplication, Name: program, Version: version,
		Licenses: &cdx.Licenses{{License: &cdx.License{ID: "Apache-2.0"}}}}
	components := []cdx.Component{moduleOf("std", info.GoVersion, "")}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		components = append(components, moduleOf(m.Path, m.Version, m.Sum))
	}
	var refs []string
	for _, c := range components {
		refs = append(refs, c.BOMRef)
	}
	var properties []cdx.Property
	if commit != "" {
		properties = append(properties, cdx.Property{Name: "commit", Value: commit})
	}
	for _, key := range []string{"GOOS", "GOARCH"} {
		if value := setting(info, key); value != "" {
			properties = append(properties, cdx.Property{Name: "go:build:" + key, Value: value})
		}
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Timestamp: at.Format(time.RFC3339), Component: &self, Properties: &properties}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: program, Dependencies: &refs}}
	var out bytes.Buffer
	e := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON)
	e.SetPretty(true)
	err = e.EncodeVersion(bom, cdx.SpecVersion1_6)
	return out.Bytes(), err
}

// moduleOf is a Go module. sum is what go.sum has of it.
func moduleOf(path, version, sum string) cdx.Component {
	purl := fmt.Sprintf("pkg:golang/%s@%s", path, version)
	c := cdx.Component{BOMRef: purl, Type: cdx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: purl}
	if sum != "" {
		c.Properties = &[]cdx.Property{{Name: "go:sum", Value: sum}}
	}
	return c
}

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
