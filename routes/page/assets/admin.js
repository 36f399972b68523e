/** What the server tells its own page; in development that includes a token which may cut connections. */
export async function readSettings () {
  const response = await fetch(new URL('page/settings.json', document.baseURI))
  if (!response.ok) throw new Error(`the server answered ${response.status}`)
  const { authentication_required: tokenRequired, admin_token: adminToken } = await response.json()
  return { tokenRequired, adminToken }
}

/**
 * Has the server cut a connection.
 * @param {() => string | undefined} connectionId the connection of the moment
 * @param {string | undefined} ownToken used where the server gives the page none
 * @throws Error in words for the person at the page
 */
export async function disconnect (connectionId, ownToken) {
  // The page's token is good for seconds only, so each cut asks for its own.
  const { adminToken = ownToken } = await readSettings()
  const response = await fetch(new URL('v1/admin/disconnect', document.baseURI), {
    method: 'POST',
    headers: { Authorization: `Bearer ${adminToken}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ connection_id: connectionId() }),
  })
  if (!response.ok) throw new Error((await response.json()).message)
}
