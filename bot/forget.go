package bot

// Forget takes the messages of a room out of memory that gone says: the log has
// them no more. Their buttons cannot be pressed after that. Numbers go on.
func (r *Rooms) Forget(room string, gone func(Message) bool) {
	r.mu.Lock()
	rm := r.rooms[room]
	if rm != nil {
		rm.use.Add(1)
	}
	r.mu.Unlock()
	if rm == nil {
		return
	}
	defer rm.use.Add(-1)
	rm.load.Lock() // what is being read is read first
	defer rm.load.Unlock()
	rm.mu.Lock()
	defer rm.mu.Unlock()
	left := make([]Message, 0, len(rm.shown))
	for _, m := range rm.shown {
		if rm.tail[m.ID] != nil || !gone(m) {
			left = append(left, m)
			continue
		}
		delete(rm.next, m.ID)
		if rm.keys[m.Reply.Key] == m.ID {
			delete(rm.keys, m.Reply.Key)
		}
	}
	rm.shown = left
}
