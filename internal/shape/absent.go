package shape

import "reflect"

// MarkAbsent notes in v, a structure of shape sh, which of its required scalar members a decoder
// did not see: seen has a bit for each member that it did. Decoders call it once a structure, also
// for structures that they found empty; [Validate] reads it.
func MarkAbsent(m *Model, sh *Shape, v reflect.Value, seen Absent) {
	n := len(sh.Members)
	if v.NumField() == n {
		return
	}
	var gone Absent
	for i := range min(n, 64) {
		mem := &sh.Members[i]
		if !mem.Required || seen&(1<<i) != 0 {
			continue
		}
		if k := m.Shapes[mem.Shape].Kind; k <= Timestamp {
			gone |= 1 << i
		}
	}
	v.Field(n).SetUint(uint64(gone))
}

// absence returns what was noted in v, a structure of shape sh.
func absence(sh *Shape, v reflect.Value) Absent {
	if n := len(sh.Members); v.NumField() > n {
		return Absent(v.Field(n).Uint())
	}
	return 0
}

func (a Absent) has(i int) bool { return i < 64 && a&(1<<i) != 0 }
