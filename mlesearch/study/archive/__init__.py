"""A recorded study as something to hand on: packed, unpacked, replayed, verified, compared, disclosed.

Begin with `packing` (`mlesearch cassette export`) and `unpacking`; `members` says what may be in such a file. `replay`
carries recorded runs out again, `verify` looks whether what was recorded is whole, `compare` where two studies part,
`disclosure` what a publication has to say of one. May import `runs` of the study and its `shares`.
"""
