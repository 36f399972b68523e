/**
 * What a plain client does wrong, so that the judges have something to find:
 * - `drop`: it keeps a message from its application now and then;
 * - `double`: it gives its application a message twice now and then;
 * - `forget`: it does not resume, but begins anew, and says nothing;
 * - `silent`: it takes a reset, and does not tell its application;
 * - `alarm`: it tells its application of a reset whenever it has connected anew;
 * - `trusting`: it does not go back when the epoch is another one;
 * - `deaf`: it does not notice that a connection is dead;
 * - `final`: it stops at any refusal, and takes a proxy's page for one;
 * - `hurry`: it never waits before it tries again;
 * - `early`: it waits half as long as the server says;
 * - `insist`: it tries again after a refusal that is final.
 */
export const brokenWays = [
  'drop', 'double', 'forget', 'silent', 'alarm', 'trusting', 'deaf', 'final', 'hurry', 'early', 'insist'
] as const
export type Broken = (typeof brokenWays)[number]
