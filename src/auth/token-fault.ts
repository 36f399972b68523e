/** Claims that are judged with the signature; the others are looked at by claims.ts. */
const JUDGED = /^(?:The|None of) (sub|exp|nbf|iat|iss|aud) claim/

/** What a claim is held against. */
const SETTINGS: Readonly<Record<string, string>> = { iss: 'JWT_ISSUER', aud: 'JWT_AUDIENCE' }

export const NOT_A_JWT = 'the token is not a JWT, which is three parts of base64url divided by dots'
/** The same whatever the key lacks: a stranger is not to learn which keys there are, or of which kind. */
export const NOT_OURS = 'the token is not signed with a key of this server'

/**
 * What a verifier's error says to the bearer of a token. It judges the signature before any claim, so that only who was given the
 * token by whoever signs them is told of its claims.
 * @param payload what the token says
 */
export function tokenFault (error: unknown, payload: () => unknown): string {
  const { code, message } = error as { code?: string, message?: string }
  const claim = JUDGED.exec(message ?? '')?.[1]
  switch (code) {
    case 'FAST_JWT_EXPIRED': return `the token expired at ${instant(payload(), 'exp')}`
    case 'FAST_JWT_INACTIVE': return `the token is good only from ${instant(payload(), 'nbf')} on`
    case 'FAST_JWT_MISSING_REQUIRED_CLAIM': return `the token has no ${claim ?? 'claim that is needed'}: it needs sub, exp, iss and aud`
    case 'FAST_JWT_INVALID_CLAIM_TYPE': return `the ${claim ?? 'claim'} of the token is not of its type`
    case 'FAST_JWT_INVALID_CLAIM_VALUE':
      return claim !== undefined && claim in SETTINGS ? `the ${claim} of the token is not that of this server (${SETTINGS[claim]!})` : `the ${claim ?? 'claim'} of the token is not of its type`
    default: return NOT_OURS
  }
}

/** A claim of the verified token that is a time; the verifier has read it as a number of seconds. */
function instant (payload: unknown, claim: string): string {
  const date = new Date(Number((payload as Record<string, unknown>)[claim]) * 1000)
  return Number.isNaN(date.getTime()) ? 'a time that no calendar has' : date.toISOString()
}
