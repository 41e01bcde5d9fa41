-- hold: keeps a feed for the transaction that saves its document; no row: the claim is not ours any more, its next_fetch is
-- another one. Whoever writes episodes holds their feed, so that what is read of them now is so until the commit.
-- Parameters: 1 feed, 2 the next_fetch that its claim has set.
SELECT id FROM feeds WHERE id = $1 AND next_fetch = $2 FOR NO KEY UPDATE
