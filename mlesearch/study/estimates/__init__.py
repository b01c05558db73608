"""What a launch will take before it starts: calls, tokens, USD, GPU hours, wall time and disk.

Begin with `estimate`; what one step takes is of `profiles`, measured in finished runs or guessed. May import no other
package of the study.
"""
