import type { MediaOperations } from '../media/operations.ts';
import { Downloads } from './answers.ts';
import { type Route, route } from './route.ts';
import { DownloadsRequest } from './schemas.ts';

/** Signed GET URLs of what is READY. */
export const downloads = (media: MediaOperations): Route[] => [
  route({
    method: 'post',
    paths: ['/downloads/query', '/downloads'],
    id: 'queryDownloads',
    summary: 'Signed GET URLs of the bundle and of every asset',
    request: DownloadsRequest,
    answer: Downloads,
    success: { 200: 'the URLs', 204: 'no batch of the listing is READY' },
    problems: { 404: 'the listing or the batch does not exist' },
    async handle({ caller, body }) {
      const answer = await media.queryDownloads(caller, body);
      return answer ? { status: 200, body: answer } : { status: 204 };
    },
  }),
];
