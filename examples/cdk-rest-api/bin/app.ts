import { App } from 'aws-cdk-lib';
import { NotesStack } from '../lib/notes-stack';

const app = new App();
const stage = app.node.tryGetContext('stage'); // gatehouse deploy --stage prod, cdk deploy -c stage=prod
new NotesStack(app, stage ? `Notes-${stage}` : 'Notes');
