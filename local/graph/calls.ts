import type { Call } from './harvest.ts';

/** Stands where AWS would hand out a login of twelve hours. */
export const REGISTRY_PASSWORD = 'a password that ECR would have made';

/** What AWS would answer to the program's questions, through a declared provider: the stacks switch the default one off. */
export const calls: Call = ({ token, provider }) =>
  provider && token === 'aws:ecr/getAuthorizationToken:getAuthorizationToken'
    ? { userName: 'AWS', password: REGISTRY_PASSWORD }
    : undefined;
