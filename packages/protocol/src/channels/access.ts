/**
 * Who may read a channel:
 * - `public`: everybody, but for a token whose `read` claim leaves it out;
 * - `capability`: who has a token whose `read` claim names it;
 * - `user`: each user the own topics, which no request can name another's of;
 * - `internal`: nobody outside the server.
 */
export const channelAccess = ['public', 'capability', 'user', 'internal'] as const
export type ChannelAccess = typeof channelAccess[number]

/** Whether a channel is for anybody outside the server. An access that nobody knows is for nobody. */
export function isServed ({ access }: { readonly access: ChannelAccess }): boolean {
  return access !== 'internal' && channelAccess.includes(access)
}
