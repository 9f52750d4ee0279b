package linktest

import (
	"github.com/octopii-go/octopii/runtime"
	"github.com/octopii-go/octopii/transport"
)

func channels(w *world) {
	w.join(1, 2)
	number := uint64(0)
	for ch := range runtime.ChannelCount {
		number++
		w.deliver(parcel{from: 1, to: 2, ch: ch, number: number, payload: 20})
		w.deliver(parcel{from: 2, to: 1, ch: ch, number: number, payload: 20})
	}
}

func sizes(w *world) {
	w.join(1, 2)
	var parcels []parcel
	for i, size := range []int{0, 1, 2, 11, 12, 13, 1199, 1200, 65535, 65536, 65537, transport.MaxPayload - 1, transport.MaxPayload} {
		parcels = append(parcels, parcel{from: 1, to: 2, ch: runtime.ChannelBulk, number: uint64(i), payload: size})
	}
	w.deliver(parcels...)
}

// crowd has every node send to every other on all channels, before anything is looked at.
func crowd(w *world) {
	ids := []runtime.NodeID{1, 2, 3, 4}
	w.join(ids...)
	const each = 200
	byNode := map[runtime.NodeID][]parcel{}
	for _, to := range ids {
		for _, from := range ids {
			for i := range uint64(each) {
				if from != to {
					byNode[to] = append(byNode[to], parcel{
						from: from, to: to, ch: runtime.Channel(i % uint64(runtime.ChannelCount)), number: i, payload: int(8 + i*7%300),
					})
				}
			}
		}
		for _, p := range byNode[to] {
			w.send(p)
		}
	}
	for _, to := range ids {
		w.deliver(byNode[to]...)
	}
}

// ownership changes what has been received, as its owner may.
func ownership(w *world) {
	w.join(1, 2)
	var held []delivery
	for i := range uint64(50) {
		for _, d := range w.deliver(parcel{from: 1, to: 2, number: i, payload: 100}) {
			clear(d.frame)
			_ = append(d.frame, make([]byte, 100)...)
			held = append(held, d)
		}
	}
	for _, d := range held {
		for _, b := range d.frame {
			if b != 0 {
				w.Fatal("a frame changed after it had been received")
			}
		}
	}
}

func unknownPeer(w *world) {
	w.join(1, 2)
	for i := range uint64(1000) {
		w.nodes[1].link.Send(9, runtime.ChannelControl, parcel{number: i, payload: 100}.frame())
	}
	w.deliver(parcel{from: 1, to: 2, number: 1, payload: 8})
	w.deliver(parcel{from: 2, to: 1, number: 2, payload: 8})
}

// routeAway takes a route away, sends, and gives it back. A network that needs no
// routes may deliver what was sent meanwhile.
func routeAway(w *world) {
	w.join(1, 2)
	p := parcel{from: 1, to: 2, number: 1, payload: 8}
	w.deliver(p)
	w.nodes[1].link.Route(2, "")
	w.send(p)
	w.deliver(parcel{from: 2, to: 1, number: 1, payload: 8})
	w.nodes[1].link.Route(2, w.nodes[2].addr)
	w.deliver(p)
}

func restart(w *world) {
	w.join(1, 2, 3)
	there, back := parcel{from: 1, to: 2, number: 7, payload: 50}, parcel{from: 2, to: 1, number: 7, payload: 50}
	w.deliver(there)
	w.deliver(back)
	for range 3 {
		w.leave(2)
		for i := range uint64(100) { // lost, or late
			w.send(parcel{from: 1, to: 2, ch: runtime.Channel(i % uint64(runtime.ChannelCount)), number: i, payload: 60})
		}
		w.deliver(parcel{from: 1, to: 3, number: 8, payload: 9}) // the others go on
		w.join(2)
		w.deliver(there)
		w.deliver(back)
		w.deliver(parcel{from: 3, to: 2, number: 7, payload: 50})
	}
}

// fresh has both of two nodes come anew, again and again, and speak at once: as each brings about a connection, if there is such a thing.
func fresh(w *world) {
	for number := range uint64(5) {
		w.join(1, 2)
		back := parcel{from: 2, to: 1, number: number, payload: 20}
		w.send(back)
		w.deliver(parcel{from: 1, to: 2, number: number, payload: 20})
		w.deliver(back)
		w.leave(1)
		w.leave(2)
	}
}

// closed closes one end in the middle of traffic. That nothing comes later is
// checked by every node of every test.
func closed(w *world) {
	w.join(1, 2)
	p := parcel{from: 1, to: 2, number: 1, payload: 1000}
	w.deliver(p)
	for range 100 {
		w.send(p)
	}
	w.leave(2)
	for range 100 {
		w.send(p)
	}
	w.leave(1)
}
