// Every address of the portal. The suite of pages compares these tables with what the pages link to and send their forms to.

/** The pages, with the names of their pictures. What stands in braces is the id of something. */
export const PAGES = {
  '/environments': 'environments',
  '/environments/{environment}': 'overview',
  '/environments/{environment}/hooks': 'hooks',
  '/environments/{environment}/copy': 'copy',
  '/environments/{environment}/webhooks': 'webhooks',
  '/environments/{environment}/webhooks/new': 'new-webhook',
  '/environments/{environment}/webhooks/{webhook}': 'webhook',
  '/environments/{environment}/webhooks/{webhook}/settings': 'webhook-settings',
  '/environments/{environment}/webhooks/{webhook}/test': 'webhook-test',
  '/environments/{environment}/webhooks/{webhook}/done': 'new-webhook-done',
  '/environments/{environment}/deliveries': 'deliveries',
  '/environments/{environment}/deliveries/{delivery}': 'delivery',
  '/environments/{environment}/events': 'events',
  '/environments/{environment}/events/send': 'send-event',
  '/environments/{environment}/events/{event}': 'event',
  '/environments/{environment}/catalogue': 'catalogue',
  '/environments/{environment}/catalogue/new': 'new-event-type',
  '/environments/{environment}/catalogue/{key}': 'event-type',
  '/environments/{environment}/credentials': 'credentials',
  '/environments/{environment}/settings': 'settings',
  '/environments/{environment}/jobs': 'jobs',
  '/environments/{environment}/jobs/{job}': 'job',
  '/people': 'people',
  '/audit': 'audit',
  '/nodes': 'nodes',
  '/account': 'account',
};

/** Pages to which only a form leads, or a link that is printed or sent. */
export const UNLINKED_PAGES = {
  '/environments/{environment}/webhooks/new/details': 'new-webhook-details',
};

/** Pages for those who are not signed in. */
export const OPEN_PAGES = { '/signin': 'signin' };

const KINDS = [
  [/^\/environments\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, '/environments/{environment}'],
  [/\/wh_[0-9a-z]+/, '/{webhook}'],
  [/\/evt_[0-9a-z]+/, '/{event}'],
  [/\/dlv_[0-9a-z]+/, '/{delivery}'],
  [/\/catalogue\/(?!new$)[^/]+/, '/catalogue/{key}'],
  [/\/jobs\/[0-9a-f]{32}/, '/jobs/{job}'],
];

/** The row of a table that an address belongs to: its ids in braces, nothing of its query. */
export function rowOf(address) {
  const { pathname } = new URL(address, 'http://portal.example.test');
  return KINDS.reduce((path, [id, row]) => path.replace(id, row), pathname);
}

/** An address of that row, with ids by their names. */
export const addressOf = (row, ids) => row.replace(/\{(\w+)\}/g, (_, kind) => ids[kind]);

/** What a page that only a form leads to is asked for. */
export const UNLINKED_QUERIES = {
  '/environments/{environment}/webhooks/new/details': '?eventKeys=frontegg.user.created',
};

/**
 * Where forms are sent, with fields that the server would take from somebody who may. `own` marks what everybody may do who is
 * signed in, because it is about themselves. `refusal` is the status for others where it is not 403: whoever may not know of a
 * thing is told that it is not there.
 */
export const CHANGES = {
  '/signout': { own: true },
  '/account/password': { own: true, fields: { old: 'not the password', new: 'made by hand', again: 'made by hand' } },
  '/account/end-session': { own: true, fields: { id: '{session}' } },
  '/account/end-other-sessions': { own: true },
  '/people': { fields: { email: 'made.by.hand@example.test', role: 'owner' } },
  '/people/role': { fields: { email: '{person}', role: 'owner' } },
  '/people/link': { fields: { email: '{person}' } },
  '/people/remove': { fields: { email: '{person}' } },
  '/people/end-session': { fields: { id: '{session}' }, refusal: 404 },
  '/environments': { fields: { name: 'Made by hand' } },
  '/environments/{environment}/settings': {
    fields: {
      name: 'Made by hand',
      retrySchedule: '1s',
      timeoutSeconds: '5',
      retentionDays: '7',
      seen: 'name=Development&httpAllowed=true&retrySchedule=5s&timeoutSeconds=15&retentionDays=30',
    },
  },
  '/environments/{environment}/delete': { fields: { confirm: 'Development' } },
  '/environments/{environment}/copy': { fields: { to: '', name: 'Made by hand' } },
  '/environments/{environment}/credentials': { fields: { name: 'Made by hand', scopes: 'read' } },
  '/environments/{environment}/credentials/revoke': { fields: { id: '{credential}' } },
  '/environments/{environment}/catalogue': {
    fields: { key: 'made.by.hand', displayName: '', description: '', category: 'Made', example: '{}', schema: '' },
  },
  '/environments/{environment}/catalogue/{key}/delete': {},
  '/environments/{environment}/jobs/{job}/cancel': {},
  '/environments/{environment}/deliveries/resend': {},
  '/environments/{environment}/deliveries/{delivery}/resend': {},
  '/environments/{environment}/events/send': { fields: { eventKey: 'frontegg.user.created', payload: '{}' } },
  '/environments/{environment}/webhooks/new/details': {
    fields: { name: 'Made by hand', url: 'https://example.test/', eventKeys: '*' },
  },
  '/environments/{environment}/webhooks/check': { fields: { url: 'https://example.test/' } },
  '/environments/{environment}/webhooks/{webhook}/settings': {
    fields: { name: 'Made by hand', url: 'https://example.test/', eventKeys: '*', readAt: '0' },
  },
  '/environments/{environment}/webhooks/{webhook}/test': { fields: { eventKey: 'frontegg.user.created', payload: '{}' } },
  '/environments/{environment}/webhooks/{webhook}/enable': {},
  '/environments/{environment}/webhooks/{webhook}/disable': {},
  '/environments/{environment}/webhooks/{webhook}/rotate': { fields: { overlapHours: '0' } },
  '/environments/{environment}/webhooks/{webhook}/unsign': {},
  '/environments/{environment}/webhooks/{webhook}/duplicate': {},
  '/environments/{environment}/webhooks/{webhook}/delete': {},
};

/** The fields of a form to that row, with ids by their names. */
export const fieldsOf = (row, ids) => Object.entries(CHANGES[row].fields ?? {}).map(([name, value]) => [name, addressOf(value, ids)]);
