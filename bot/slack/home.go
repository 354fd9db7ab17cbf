package slack

import "context"

func (s *Slack) openForHome(ctx context.Context, e *envelope, a action) bool { return false }
