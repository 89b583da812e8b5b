/** Seeds that once broke an invariant. A change of the simulation changes their histories, so each bug has a test of its own elsewhere. */

/** What each seed found. */
export const regressions: Readonly<Record<number, string>> = {
  123: "a run ended as cancelled a minute before its job was created",
  427: "money of a rejected run was never counted",
  730: "a run that was tried again ended a moment before its job was created",
  735: "an old read at the end of a clean-up left a deployed model behind",
  819: "a timer that was set again to when it had fired stayed due for good",
  844: "a run that was tried again waited behind its own first request, and was lost with it",
  992: "a clock that was ahead gave up a submission of one that was behind",
  2033: "a run ended with the fate of the run before it",
  2248: "a version was registered with the artifact of the run before",
  2761: "a version that had been rolled back was rolled out again by the late entry of its alias",
  2938: "an old answer ended a run whose job had just been seen and cancelled",
  3833: "a process that stood still after its commit set traffic for a rollout that had been rolled back",
  4903: "a rejected run cost less than its job had used",
  5119: "a clock that was behind brought the last month's budget back",
  5297: "a run ended with facts that had been looked up for another run",
  7295: "the state that was looked up again had been waited for too long itself",
  7334: "a run ended with facts of three minutes ago, when its job was not there yet",
  14752: "our own alias, set late by a slow call, was taken for a person's wish",
  19485: "a promotion that was taken back left alias challenger on its version for good",
  19538:
    "a late call uploaded a version a second time, and nothing but the champion's run was looked at",
};
