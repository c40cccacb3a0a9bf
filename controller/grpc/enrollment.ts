import type { EnrollmentServer } from '../../proto/gen/fraisier/v1/enrollment.js';
import { enrolAgent } from '../pki/enrol-agent.js';
import { hostOfAuthority } from './authority.js';
import { open } from './calls.js';
import type { ControlEdges } from './control-edges.js';

/** For agents without a certificate; the join token in the request is all the authentication there is. */
export function enrollmentService(deps: ControlEdges): EnrollmentServer {
  const { authority, controllers, edges } = deps;
  return {
    enroll: open(deps, async (request, seenAs) => {
      const { name, labels, certificatePem } = await enrolAgent({ ledger: edges.ledger, authority }, request);
      deps.logger.info({ agent: name }, 'agent enrolled');
      return {
        agentName: name,
        labels: { ...labels },
        certificatePem,
        authorityPem: authority.certificatePem,
        controllers: await controllers(hostOfAuthority(seenAs)),
      };
    }),
  };
}
