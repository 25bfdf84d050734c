import { z } from 'zod';
import { AwsError } from './aws-error.ts';
import type { Credentials } from './credentials.ts';
import type { AwsService, Caller } from './door.ts';
import type { Manifest, Role } from './graph/manifest.ts';
import { type XmlContent, xmlDocument, xmlElement } from './xml.ts';

const NAMESPACE = ' xmlns="https://sts.amazonaws.com/doc/2011-06-15/"';

const Statement = z.object({
  Effect: z.enum(['Allow', 'Deny']),
  Principal: z.union([z.literal('*'), z.record(z.string(), z.union([z.string(), z.array(z.string())]))]),
});

const AssumeRole = z.object({
  RoleArn: z.string().startsWith('arn:aws:iam::'),
  RoleSessionName: z.string().regex(/^[\w+=,.@-]{2,64}$/),
  DurationSeconds: z.coerce.number().int().min(900).max(43_200).default(3600),
  Policy: z.undefined('session policies are not supported by the local cloud').optional(),
  ExternalId: z.string().optional(),
});

/** Whether a role's trust policy names the caller: its role, its session or its account. Conditions are not evaluated. */
export function trusts({ trust }: Role, { roleArn, principalArn }: Caller): boolean {
  const account = roleArn.split(':')[4] ?? '';
  const names = new Set(['*', roleArn, principalArn, account, `arn:aws:iam::${account}:root`]);
  const statements = z.array(Statement).safeParse([trust.Statement].flat()).data ?? [];
  const applying = statements.filter(({ Principal }) => {
    const principals = Principal === '*' ? ['*'] : [Principal.AWS ?? []].flat();
    return principals.some((principal) => names.has(principal));
  });
  return (
    applying.some(({ Effect }) => Effect === 'Allow') && !applying.some(({ Effect }) => Effect === 'Deny')
  );
}

/** STS for the declared roles: AssumeRole and GetCallerIdentity. */
export function createSecurityTokens(
  { roles, accountId }: Pick<Manifest, 'roles' | 'accountId'>,
  credentials: Credentials,
): AwsService {
  const actions: Record<string, (form: URLSearchParams, caller: Caller) => Record<string, XmlContent>> = {
    AssumeRole(form, caller) {
      const request = AssumeRole.safeParse(Object.fromEntries(form));
      if (!request.success) throw new AwsError('ValidationError', 400, z.prettifyError(request.error));
      const { RoleArn, RoleSessionName, DurationSeconds } = request.data;
      const role = roles.find(({ arn }) => arn === RoleArn);
      // an unknown role gets the same answer, as in AWS
      if (!role || !trusts(role, caller)) {
        throw new AwsError(
          'AccessDenied',
          403,
          `User: ${caller.principalArn} is not authorized to perform: sts:AssumeRole on resource: ${RoleArn}`,
        );
      }
      const session = credentials.issueSession(RoleArn, RoleSessionName, DurationSeconds);
      const Arn = `arn:aws:sts::${accountId}:assumed-role/${role.name}/${RoleSessionName}`;
      return {
        AssumedRoleUser: { AssumedRoleId: `${session.accessKeyId}:${RoleSessionName}`, Arn },
        Credentials: {
          AccessKeyId: session.accessKeyId,
          SecretAccessKey: session.secretAccessKey,
          SessionToken: session.sessionToken,
          Expiration: session.expiresAt.toISOString(),
        },
      };
    },
    GetCallerIdentity: (_, caller) => ({
      Arn: caller.principalArn,
      UserId: caller.accessKeyId,
      Account: accountId,
    }),
  };

  return async (signed, response) => {
    const form = new URLSearchParams((await signed.body()).toString());
    const name = form.get('Action') ?? '';
    const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
    if (!action) throw new AwsError('InvalidAction', 400, `The local cloud does not know sts:${name}.`);
    const result = action(form, signed.caller);
    const RequestId = String(response.getHeader('x-amzn-requestid') ?? '');
    const members = { [`${name}Result`]: result, ResponseMetadata: { RequestId } };
    response.writeHead(200, { 'content-type': 'text/xml' });
    response.end(xmlDocument(xmlElement(`${name}Response`, members, NAMESPACE)));
  };
}
