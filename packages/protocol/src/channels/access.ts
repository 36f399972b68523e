/**
 * Who may read a channel:
 * - `public`: everybody, except with a token whose `read` claim leaves the channel out;
 * - `capability`: only with a token whose `read` claim names the channel;
 * - `user`: each user reads their own topics; no request can name the topics of another user;
 * - `admin`: only with a token that has `admin`, whatever its `read` claim names;
 * - `internal`: nobody outside the server.
 */
export const channelAccess = ['public', 'capability', 'user', 'admin', 'internal'] as const
export type ChannelAccess = typeof channelAccess[number]

/**
 * Returns whether anybody outside the server may use a channel. An access that is not in the list counts as
 * `internal`.
 */
export function isServed ({ access }: { readonly access: ChannelAccess }): boolean {
  return access !== 'internal' && channelAccess.includes(access)
}
