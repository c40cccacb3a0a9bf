import { itKeepsTheDatabaseRight, type ToolUnderTest } from '../support/migration-scenarios.js';

const SETTINGS = `
import os
from urllib.parse import urlsplit, parse_qs
url = urlsplit(os.environ['DATABASE_URL'])
more = {key: values[0] for key, values in parse_qs(url.query).items()}
SECRET_KEY = 'only for this test'
INSTALLED_APPS = ['django.contrib.contenttypes', 'shop', 'stock']
DATABASES = {'default': {
    'ENGINE': 'django.db.backends.postgresql', 'NAME': url.path.lstrip('/'),
    'HOST': url.hostname or more.get('host', ''), 'PORT': str(url.port or ''),
    'USER': url.username or more.get('user', ''), 'PASSWORD': url.password or '',
}}
DEFAULT_AUTO_FIELD = 'django.db.models.AutoField'
USE_TZ = True
`;

const MANAGE = `
import os, sys
os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'settings')
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
`;

/** The odd ones are the shop's, the even ones the stock's, each behind the one before it. */
function appOf(number: number): string {
  return number % 2 === 1 ? 'shop' : 'stock';
}

function nameOf(number: number): string {
  return `000${Math.ceil(number / 2)}_t${number}`;
}

const django: ToolUnderTest = {
  database: { tool: 'django', command: ['/usr/bin/python3', 'manage.py'] },
  files: {
    'settings.py': SETTINGS,
    'manage.py': MANAGE,
    'shop/__init__.py': '',
    'shop/migrations/__init__.py': '',
    'stock/__init__.py': '',
    'stock/migrations/__init__.py': '',
  },
  migration: (number, flaw) => {
    const after = [number - 1, number - 2]
      .filter((one) => one > 0)
      .map((one) => `('${appOf(one)}', '${nameOf(one)}')`);
    const down = flaw === 'no_way_down' ? '' : `, reverse_sql='drop table t${number}'`;
    const boom = flaw === 'fails' ? ', migrations.RunSQL("boom", reverse_sql="")' : '';
    const text = `from django.db import migrations
class Migration(migrations.Migration):
    dependencies = [${after.join(', ')}]
    operations = [migrations.RunSQL('create table t${number} (id int primary key)'${down})${boom}]
`;
    return {
      id: `${appOf(number)}.${nameOf(number)}`,
      files: { [`${appOf(number)}/migrations/${nameOf(number)}.py`]: text },
    };
  },
  foreign: [`insert into django_migrations (app, name, applied) values ('theirs', '0001_x', now())`],
  stepsDown: ['migration_unchanged', 'migrate_down', 'migrate_down_2', 'migration_undone'],
};

describe('migrations with django', function () {
  this.timeout(120_000);
  itKeepsTheDatabaseRight(django);
});
