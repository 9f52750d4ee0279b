package fstest

// sizeRules are about the length of files.
func sizeRules() []rule {
	return []rule{
		{"truncate: shrinks", func(p *probe) {
			h := p.create("f")
			h.write(pattern(0, 10_000), 0)
			h.truncate(4099)
			h.holds(pattern(0, 4099))
			h.truncate(4099)
			h.holds(pattern(0, 4099))
			h.truncate(0)
			h.holds("")
			h.close()
		}},
		{"truncate: grows with zeros", func(p *probe) {
			h := p.create("f")
			h.write("abc", 0)
			h.truncate(5000)
			h.holds("abc" + zeros(4997))
			h.close()
		}},
		{"truncate: what was cut off does not come back", func(p *probe) {
			h := p.create("f")
			h.write(pattern(0, 20_000), 0)
			h.truncate(100)
			h.truncate(9000)
			h.holds(pattern(0, 100) + zeros(8900))
			h.write("end", 20_000)
			h.read(zeros(11_000)+"end", 9000)
			h.close()
		}},
		{"truncate: what was cut off does not come back by a write", func(p *probe) {
			h := p.create("f")
			h.write(pattern(0, 1000), 0)
			h.truncate(10)
			h.write("z", 500)
			h.holds(pattern(0, 10) + zeros(490) + "z")
			h.close()
		}},
		{"allocate: grows with zeros", bothWays(func(h *handle, zero bool) {
			h.allocate(0, 10_000, zero)
			h.holds(zeros(10_000))
			h.write("abc", 5000)
			h.holds(zeros(5000) + "abc" + zeros(4997))
		})},
		{"allocate: touches only bytes past the end", bothWays(func(h *handle, zero bool) {
			old := pattern(0, 5000)
			h.write(old, 0)
			h.allocate(0, 3000, zero) // inside
			h.holds(old)
			h.allocate(4000, 6000, zero) // across the end
			h.holds(old + zeros(5000))
			h.allocate(20_000, 1000, zero) // away from it
			h.holds(old + zeros(16_000))
		})},
		{"allocate: of nothing", bothWays(func(h *handle, zero bool) {
			h.write("abc", 0)
			h.allocate(1, 0, zero)
			h.allocate(100, 0, zero)
			h.holds("abc")
		})},
		{"allocate: what was cut off does not come back", bothWays(func(h *handle, zero bool) {
			h.write(pattern(0, 5000), 0)
			h.truncate(1000)
			h.allocate(0, 5000, zero)
			h.holds(pattern(0, 1000) + zeros(4000))
		})},
	}
}

// bothWays checks a rule of Allocate on two files: without and with written zeros.
func bothWays(check func(h *handle, zero bool)) func(p *probe) {
	return func(p *probe) {
		reserved := p.create("reserved")
		check(reserved, false)
		reserved.close()
		zeroed := p.create("zeroed")
		check(zeroed, true)
		zeroed.close()
	}
}
