BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE environments (
	name VARCHAR(80) NOT NULL, 
	stack VARCHAR(24) NOT NULL, 
	slug VARCHAR(40) NOT NULL, 
	branch TEXT NOT NULL, 
	subnet_index INTEGER NOT NULL, 
	secret VARCHAR(64) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	production BOOLEAN NOT NULL, 
	stack_json TEXT NOT NULL, 
	verdict VARCHAR(16) NOT NULL, 
	proof_json TEXT, 
	reports_json TEXT NOT NULL, 
	created_by VARCHAR(32) NOT NULL, 
	created_at DATETIME NOT NULL, 
	ready_at DATETIME, 
	PRIMARY KEY (name), 
	UNIQUE (subnet_index)
);
INSERT INTO "environments" VALUES('photos/feature-x','photos','feature-x','feature_x',0,'fdd61cc355c6b0cc610b4a48aeeb83bdd767feba20dc81b70ff165738a3148f6','ready',0,'{"environment":{"stack":"photos","slug":"feature-x"},"branch":"feature_x","default_branch":"master","production":false,"domain":"feature-x.photos.internal","subnet":"10.213.0.0/24","groups":[{"name":"backend","description":"backend","ingress":[{"protocol":"tcp","ports":{"first":80,"last":80},"group":null,"network":"0.0.0.0/0","everywhere":false}],"tags":[["role","backend"]]},{"name":"db","description":"db","ingress":[{"protocol":"tcp","ports":{"first":3306,"last":3306},"group":"backend","network":null,"everywhere":false}],"tags":[["role","db"]]}],"images":[{"name":"web","digest":"web-digest","suite":"bookworm","packages":["web"],"files":[],"commands":[],"services":[]},{"name":"mariadb","digest":"mariadb-digest","suite":"bookworm","packages":["mariadb"],"files":[],"commands":[],"services":[]}],"machines":[{"name":"backend1","type":"backend","role":"backend","instance_id":"i-0123456789abcdef0","image":"web","instance_type":"t3.small","memory_mib":512,"pids":256,"address":"10.213.0.10","uid_base":805306368,"groups":["backend"],"tags":[["role","backend"]],"private_dns":"backend1.feature-x.photos.internal","dns_names":["backend1.feature-x.photos.internal"],"needs":[],"checks":[{"port":80,"deadline_s":30.0}],"instance_profile":null,"readable_buckets":[],"deadline_s":120.0,"signal_token":"token","user_data":"#!/bin/sh\n","endpoint":{"name":"api","port":80,"internal_host":"api.feature-x.photos.internal","local_host":"api.feature-x.photos.localhost"},"deploy":{"bucket":"code","keys":["backend-feature_x.tar.gz","backend-master.tar.gz"],"directory":"/var/www/backend","restart":["php-fpm"]},"volume":null,"mount":null},{"name":"db1","type":"db","role":"db","instance_id":"i-0123456789abcdef0","image":"mariadb","instance_type":"t3.small","memory_mib":512,"pids":256,"address":"10.213.0.11","uid_base":805306368,"groups":["db"],"tags":[["role","db"]],"private_dns":"db1.feature-x.photos.internal","dns_names":["db1.feature-x.photos.internal"],"needs":[],"checks":[{"port":3306,"deadline_s":30.0}],"instance_profile":null,"readable_buckets":[],"deadline_s":120.0,"signal_token":"token","user_data":"#!/bin/sh\n","endpoint":null,"deploy":null,"volume":{"data_name":"db","engine":"mariadb","database":"photos","user":"photos","directory":"/data","service":"mariadb","mode":"clone","source":"extract","bucket":"extracts","manifest_key":"manifest.json"},"mount":null}],"drills":[{"name":"drill-db","type":"drill-db","role":"drill-db","instance_id":"i-0123456789abcdef0","image":"mariadb","instance_type":"t3.small","memory_mib":512,"pids":256,"address":"10.213.0.70","uid_base":805306368,"groups":["drill-db"],"tags":[["role","drill-db"]],"private_dns":"drill-db.drill.photos.internal","dns_names":["drill-db.drill.photos.internal"],"needs":[],"checks":[],"instance_profile":null,"readable_buckets":[],"deadline_s":120.0,"signal_token":"token","user_data":"#!/bin/sh\n","endpoint":null,"deploy":null,"volume":{"data_name":"db","engine":"mariadb","database":"photos","user":"photos","directory":"/data","service":"mariadb","mode":"clone","source":"extract","bucket":"extracts","manifest_key":"manifest.json"},"mount":null}],"buckets":[{"name":"code","path":"/srv/photos/code"},{"name":"extracts","path":"/srv/photos/extracts"}],"blueprint_path":"/srv/photos/greenroom.yaml","shared":false}','proved','{"at":"2026-11-23T04:27:54.360118Z","claims":[{"subject":"backend1","claim":"its checks pass","verdict":"proved","evidence":"it runs"},{"subject":"db1","claim":"its checks pass","verdict":"proved","evidence":"it runs"},{"subject":"db1","claim":"its data is restored and verified","verdict":"proved","evidence":"from extract"}],"flows":[{"source":"db1","target":"backend1","protocol":"tcp","port":80,"declared":true,"reach":"open","verdict":"proved"},{"source":"backend1","target":"db1","protocol":"tcp","port":3306,"declared":true,"reach":"open","verdict":"proved"},{"source":"photos/gone:backend1","target":"backend1","protocol":"tcp","port":80,"declared":false,"reach":"filtered","verdict":"proved"},{"source":"photos/gone:backend1","target":"db1","protocol":"tcp","port":3306,"declared":false,"reach":"filtered","verdict":"proved"},{"source":"photos/master:backend1","target":"backend1","protocol":"tcp","port":80,"declared":false,"reach":"filtered","verdict":"proved"},{"source":"photos/master:backend1","target":"db1","protocol":"tcp","port":3306,"declared":false,"reach":"filtered","verdict":"proved"}]}','[{"machine":"backend1","phases":[{"phase":"boot","machine":"backend1","seconds":0.001,"message":""},{"phase":"restore","machine":"backend1","seconds":0.001,"message":""},{"phase":"deploy","machine":"backend1","seconds":0.001,"message":""},{"phase":"services","machine":"backend1","seconds":0.001,"message":""},{"phase":"checks","machine":"backend1","seconds":0.001,"message":""}],"restore":null,"artifact":{"key":"backend-feature_x.tar.gz","sha256":"3ff6876b2b3ba1460b3910a57e5d0a5e36ac84ac681f843cce8a69ae4070efda","fallback":false},"notices":[]},{"machine":"db1","phases":[{"phase":"boot","machine":"db1","seconds":0.001,"message":""},{"phase":"restore","machine":"db1","seconds":0.001,"message":""},{"phase":"deploy","machine":"db1","seconds":0.001,"message":""},{"phase":"services","machine":"db1","seconds":0.001,"message":""},{"phase":"checks","machine":"db1","seconds":0.001,"message":""}],"restore":{"machine":"db1","source":"extract","mode":"clone","artefact_sha256":"0000000000000000000000000000000000000000000000000000000000000000","taken_at":"2026-11-21T03:00:00Z","verified_at":"2026-11-21T04:00:00Z","restore_s":2.0,"verify_s":0.5,"clone_s":0.004,"tables":[],"table_count":0,"row_count":0},"artifact":null,"notices":[]}]','op-0df77f87f465','2026-11-23 04:27:54.287377','2026-11-23 04:27:54.322758');
INSERT INTO "environments" VALUES('photos/master','photos','master','master',1,'6db26ed155f5bac133853fee84408ee118432232d6eb0e8cb45f6bf57535c51e','ready',1,'{"environment":{"stack":"photos","slug":"master"},"branch":"master","default_branch":"master","production":true,"domain":"master.photos.internal","subnet":"10.213.1.0/24","groups":[{"name":"backend","description":"backend","ingress":[{"protocol":"tcp","ports":{"first":80,"last":80},"group":null,"network":"0.0.0.0/0","everywhere":false}],"tags":[["role","backend"]]},{"name":"db","description":"db","ingress":[{"protocol":"tcp","ports":{"first":3306,"last":3306},"group":"backend","network":null,"everywhere":false}],"tags":[["role","db"]]}],"images":[{"name":"web","digest":"web-digest","suite":"bookworm","packages":["web"],"files":[],"commands":[],"services":[]},{"name":"mariadb","digest":"mariadb-digest","suite":"bookworm","packages":["mariadb"],"files":[],"commands":[],"services":[]}],"machines":[{"name":"backend1","type":"backend","role":"backend","instance_id":"i-0123456789abcdef0","image":"web","instance_type":"t3.small","memory_mib":512,"pids":256,"address":"10.213.1.10","uid_base":805306368,"groups":["backend"],"tags":[["role","backend"]],"private_dns":"backend1.master.photos.internal","dns_names":["backend1.master.photos.internal"],"needs":[],"checks":[{"port":80,"deadline_s":30.0}],"instance_profile":null,"readable_buckets":[],"deadline_s":120.0,"signal_token":"token","user_data":"#!/bin/sh\n","endpoint":{"name":"api","port":80,"internal_host":"api.master.photos.internal","local_host":"api.master.photos.localhost"},"deploy":{"bucket":"code","keys":["backend-master.tar.gz","backend-master.tar.gz"],"directory":"/var/www/backend","restart":["php-fpm"]},"volume":null,"mount":null},{"name":"db1","type":"db","role":"db","instance_id":"i-0123456789abcdef0","image":"mariadb","instance_type":"t3.small","memory_mib":512,"pids":256,"address":"10.213.1.11","uid_base":805306368,"groups":["db"],"tags":[["role","db"]],"private_dns":"db1.master.photos.internal","dns_names":["db1.master.photos.internal"],"needs":[],"checks":[{"port":3306,"deadline_s":30.0}],"instance_profile":null,"readable_buckets":[],"deadline_s":120.0,"signal_token":"token","user_data":"#!/bin/sh\n","endpoint":null,"deploy":null,"volume":{"data_name":"db","engine":"mariadb","database":"photos","user":"photos","directory":"/data","service":"mariadb","mode":"clone","source":"extract","bucket":"extracts","manifest_key":"manifest.json"},"mount":null}],"drills":[{"name":"drill-db","type":"drill-db","role":"drill-db","instance_id":"i-0123456789abcdef0","image":"mariadb","instance_type":"t3.small","memory_mib":512,"pids":256,"address":"10.213.1.70","uid_base":805306368,"groups":["drill-db"],"tags":[["role","drill-db"]],"private_dns":"drill-db.drill.photos.internal","dns_names":["drill-db.drill.photos.internal"],"needs":[],"checks":[],"instance_profile":null,"readable_buckets":[],"deadline_s":120.0,"signal_token":"token","user_data":"#!/bin/sh\n","endpoint":null,"deploy":null,"volume":{"data_name":"db","engine":"mariadb","database":"photos","user":"photos","directory":"/data","service":"mariadb","mode":"clone","source":"extract","bucket":"extracts","manifest_key":"manifest.json"},"mount":null}],"buckets":[{"name":"code","path":"/srv/photos/code"},{"name":"extracts","path":"/srv/photos/extracts"}],"blueprint_path":"/srv/photos/greenroom.yaml","shared":false}','proved','{"at":"2026-11-23T04:27:54.337103Z","claims":[{"subject":"backend1","claim":"its checks pass","verdict":"proved","evidence":"it runs"},{"subject":"db1","claim":"its checks pass","verdict":"proved","evidence":"it runs"},{"subject":"db1","claim":"its data is restored and verified","verdict":"proved","evidence":"from extract"}],"flows":[{"source":"db1","target":"backend1","protocol":"tcp","port":80,"declared":true,"reach":"open","verdict":"proved"},{"source":"backend1","target":"db1","protocol":"tcp","port":3306,"declared":true,"reach":"open","verdict":"proved"},{"source":"photos/feature-x:backend1","target":"backend1","protocol":"tcp","port":80,"declared":false,"reach":"filtered","verdict":"proved"},{"source":"photos/feature-x:backend1","target":"db1","protocol":"tcp","port":3306,"declared":false,"reach":"filtered","verdict":"proved"}]}','[{"machine":"backend1","phases":[{"phase":"boot","machine":"backend1","seconds":0.001,"message":""},{"phase":"restore","machine":"backend1","seconds":0.001,"message":""},{"phase":"deploy","machine":"backend1","seconds":0.001,"message":""},{"phase":"services","machine":"backend1","seconds":0.001,"message":""},{"phase":"checks","machine":"backend1","seconds":0.001,"message":""}],"restore":null,"artifact":{"key":"backend-master.tar.gz","sha256":"a4c4e76b53fe55fbaa30d75dce2d0b59c5a708b16779674efa3035fbfce4e98a","fallback":false},"notices":[]},{"machine":"db1","phases":[{"phase":"boot","machine":"db1","seconds":0.001,"message":""},{"phase":"restore","machine":"db1","seconds":0.001,"message":""},{"phase":"deploy","machine":"db1","seconds":0.001,"message":""},{"phase":"services","machine":"db1","seconds":0.001,"message":""},{"phase":"checks","machine":"db1","seconds":0.001,"message":""}],"restore":{"machine":"db1","source":"extract","mode":"clone","artefact_sha256":"0000000000000000000000000000000000000000000000000000000000000000","taken_at":"2026-11-21T03:00:00Z","verified_at":"2026-11-21T04:00:00Z","restore_s":2.0,"verify_s":0.5,"clone_s":0.004,"tables":[],"table_count":0,"row_count":0},"artifact":null,"notices":[]}]','op-01ec40772404','2026-11-23 04:27:54.329254','2026-11-23 04:27:54.337407');
CREATE TABLE events (
	operation VARCHAR(32) NOT NULL, 
	seq INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	phase VARCHAR(32) NOT NULL, 
	machine VARCHAR(64), 
	message TEXT NOT NULL, 
	seconds FLOAT, 
	status VARCHAR(16), 
	code VARCHAR(64), 
	hint TEXT, 
	exit_code INTEGER, 
	PRIMARY KEY (operation, seq), 
	FOREIGN KEY(operation) REFERENCES operations (id)
);
INSERT INTO "events" VALUES('op-0df77f87f465',1,'2026-11-23 04:27:54.316281','phase-started','images',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',2,'2026-11-23 04:27:54.318169','notice','',NULL,'image web was built',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',3,'2026-11-23 04:27:54.318280','notice','',NULL,'image mariadb was built',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',4,'2026-11-23 04:27:54.318423','phase-done','images',NULL,'',5.46727998880669474601e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',5,'2026-11-23 04:27:54.318618','phase-started','volumes',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',6,'2026-11-23 04:27:54.318682','notice','','drill-db','the golden volume was made',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',7,'2026-11-23 04:27:54.318717','phase-done','volumes',NULL,'',7.79030015110038220882e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',8,'2026-11-23 04:27:54.318766','phase-started','network',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',9,'2026-11-23 04:27:54.318863','phase-done','network',NULL,'',7.26130019756965339183e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',10,'2026-11-23 04:27:54.318971','phase-started','machines',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',11,'2026-11-23 04:27:54.319055','phase-started','boot','backend1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',12,'2026-11-23 04:27:54.319148','phase-done','boot','backend1','',0.001,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',13,'2026-11-23 04:27:54.319160','phase-started','boot','db1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',14,'2026-11-23 04:27:54.319199','phase-done','boot','db1','',0.001,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',15,'2026-11-23 04:27:54.319306','phase-done','machines',NULL,'',3.15050005156081169843e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',16,'2026-11-23 04:27:54.319436','phase-started','proof',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',17,'2026-11-23 04:27:54.322547','phase-done','proof',NULL,'',3.09461700089741498231e-03,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',18,'2026-11-23 04:27:54.322683','phase-started','publish',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',19,'2026-11-23 04:27:54.322729','phase-done','publish',NULL,'',3.12800038955174386501e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0df77f87f465',20,'2026-11-23 04:27:54.322787','result','',NULL,'photos/feature-x is proved',NULL,'succeeded',NULL,NULL,0);
INSERT INTO "events" VALUES('op-01ec40772404',1,'2026-11-23 04:27:54.334637','phase-started','images',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',2,'2026-11-23 04:27:54.335564','phase-done','images',NULL,'',0.000378811004338786,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',3,'2026-11-23 04:27:54.335741','phase-started','volumes',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',4,'2026-11-23 04:27:54.335797','phase-done','volumes',NULL,'',3.70999987353570759296e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',5,'2026-11-23 04:27:54.335837','phase-started','network',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',6,'2026-11-23 04:27:54.335923','phase-done','network',NULL,'',7.00770033290609717369e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',7,'2026-11-23 04:27:54.336021','phase-started','machines',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',8,'2026-11-23 04:27:54.336096','phase-started','boot','backend1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',9,'2026-11-23 04:27:54.336168','phase-done','boot','backend1','',0.001,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',10,'2026-11-23 04:27:54.336179','phase-started','boot','db1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',11,'2026-11-23 04:27:54.336215','phase-done','boot','db1','',0.001,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',12,'2026-11-23 04:27:54.336274','phase-done','machines',NULL,'',2.34239996643736958503e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',13,'2026-11-23 04:27:54.336443','phase-started','proof',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',14,'2026-11-23 04:27:54.337235','phase-done','proof',NULL,'',0.000776561995735392,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',15,'2026-11-23 04:27:54.337342','phase-started','publish',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',16,'2026-11-23 04:27:54.337382','phase-done','publish',NULL,'',2.65710041276179254055e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-01ec40772404',17,'2026-11-23 04:27:54.337431','result','',NULL,'photos/master is proved',NULL,'succeeded',NULL,NULL,0);
INSERT INTO "events" VALUES('op-e8c244f8d340',1,'2026-11-23 04:27:54.346468','phase-started','images',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',2,'2026-11-23 04:27:54.347288','phase-done','images',NULL,'',3.57951001205947250127e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',3,'2026-11-23 04:27:54.347486','phase-started','volumes',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',4,'2026-11-23 04:27:54.347540','phase-done','volumes',NULL,'',3.48159956047311425209e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',5,'2026-11-23 04:27:54.347585','phase-started','network',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',6,'2026-11-23 04:27:54.347675','phase-done','network',NULL,'',7.43989949114620685577e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',7,'2026-11-23 04:27:54.347785','phase-started','machines',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',8,'2026-11-23 04:27:54.347866','phase-started','boot','backend1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',9,'2026-11-23 04:27:54.347940','phase-done','boot','backend1','',0.001,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',10,'2026-11-23 04:27:54.347951','phase-started','boot','db1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',11,'2026-11-23 04:27:54.347989','phase-done','boot','db1','',0.001,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',12,'2026-11-23 04:27:54.348049','phase-done','machines',NULL,'',2.4667600519023835659e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',13,'2026-11-23 04:27:54.348166','phase-started','proof',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',14,'2026-11-23 04:27:54.349030','phase-done','proof',NULL,'',8.5050200141267850995e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',15,'2026-11-23 04:27:54.349148','phase-started','publish',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',16,'2026-11-23 04:27:54.349180','phase-done','publish',NULL,'',2.00539943762123584747e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-e8c244f8d340',17,'2026-11-23 04:27:54.349229','result','',NULL,'photos/gone is proved',NULL,'succeeded',NULL,NULL,0);
INSERT INTO "events" VALUES('op-7d745353fe60',1,'2026-11-23 04:27:54.358427','phase-started','deploy','backend1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-7d745353fe60',2,'2026-11-23 04:27:54.359063','phase-done','deploy','backend1','',1.18680000014137476682e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-7d745353fe60',3,'2026-11-23 04:27:54.359662','phase-started','proof',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-7d745353fe60',4,'2026-11-23 04:27:54.360248','phase-done','proof',NULL,'',5.57936000404879450798e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-7d745353fe60',5,'2026-11-23 04:27:54.360438','result','',NULL,'photos/feature-x is proved',NULL,'succeeded',NULL,NULL,0);
INSERT INTO "events" VALUES('op-dc90a2344bc4',1,'2026-11-23 04:27:54.370204','phase-started','destroy',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dc90a2344bc4',2,'2026-11-23 04:27:54.372154','phase-done','destroy',NULL,'',1.50425799802178516983e-03,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dc90a2344bc4',3,'2026-11-23 04:27:54.372304','result','',NULL,'photos/gone is gone: 18 removed, 0 left over',NULL,'succeeded',NULL,NULL,0);
CREATE TABLE intents (
	operation VARCHAR(32) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	environment VARCHAR(80) NOT NULL, 
	at DATETIME NOT NULL, 
	undone_at DATETIME, 
	PRIMARY KEY (operation, kind, name), 
	FOREIGN KEY(operation) REFERENCES operations (id)
);
INSERT INTO "intents" VALUES('op-0df77f87f465','cgroup','photos.feature-x.backend1','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','cgroup','photos.feature-x.db1','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','container','photos.feature-x.backend1','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','container','photos.feature-x.db1','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','directory','volumes/photos.feature-x/db1','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','dns file','photos.feature-x.hosts','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','link','veth-10.213.0.10','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','link','veth-10.213.0.11','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','link','veth-10.213.0.70','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','mount','photos.feature-x.backend1','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','mount','photos.feature-x.db1','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','network namespace','photos.feature-x.backend1','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','network namespace','photos.feature-x.db1','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','network namespace','photos.feature-x.drill-db','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','nft object','environment photos.feature-x','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','process','photos.feature-x.backend1','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','process','photos.feature-x.db1','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-0df77f87f465','proxy route','api.feature-x.photos.localhost','photos/feature-x','2026-11-23 04:27:54.287377',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','cgroup','photos.master.backend1','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','cgroup','photos.master.db1','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','container','photos.master.backend1','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','container','photos.master.db1','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','directory','volumes/photos.master/db1','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','dns file','photos.master.hosts','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','link','veth-10.213.1.10','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','link','veth-10.213.1.11','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','link','veth-10.213.1.70','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','mount','photos.master.backend1','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','mount','photos.master.db1','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','network namespace','photos.master.backend1','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','network namespace','photos.master.db1','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','network namespace','photos.master.drill-db','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','nft object','environment photos.master','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','process','photos.master.backend1','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','process','photos.master.db1','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-01ec40772404','proxy route','api.master.photos.localhost','photos/master','2026-11-23 04:27:54.329254',NULL);
INSERT INTO "intents" VALUES('op-e8c244f8d340','cgroup','photos.gone.backend1','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','cgroup','photos.gone.db1','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','container','photos.gone.backend1','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','container','photos.gone.db1','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','directory','volumes/photos.gone/db1','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','dns file','photos.gone.hosts','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','link','veth-10.213.2.10','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','link','veth-10.213.2.11','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','link','veth-10.213.2.70','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','mount','photos.gone.backend1','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','mount','photos.gone.db1','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','network namespace','photos.gone.backend1','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','network namespace','photos.gone.db1','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','network namespace','photos.gone.drill-db','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','nft object','environment photos.gone','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','process','photos.gone.backend1','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','process','photos.gone.db1','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
INSERT INTO "intents" VALUES('op-e8c244f8d340','proxy route','api.gone.photos.localhost','photos/gone','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.372293');
CREATE TABLE operations (
	id VARCHAR(32) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	environment VARCHAR(80) NOT NULL, 
	request_json TEXT NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	created_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	cancel_requested BOOLEAN NOT NULL, 
	error_code VARCHAR(64), 
	error_message TEXT, 
	error_hint TEXT, 
	exit_code INTEGER, 
	receipt_json TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "operations" VALUES('op-0df77f87f465','create','photos/feature-x','{"blueprint":"greenroom.yaml","machines":[],"branch":"feature_x","restore":[],"mounts":[],"shared":[]}','succeeded','2026-11-23 04:27:54.287377','2026-11-23 04:27:54.322780',0,NULL,NULL,NULL,0,NULL);
INSERT INTO "operations" VALUES('op-01ec40772404','create','photos/master','{"blueprint":"greenroom.yaml","machines":[],"branch":"master","restore":[],"mounts":[],"shared":[]}','succeeded','2026-11-23 04:27:54.329254','2026-11-23 04:27:54.337425',0,NULL,NULL,NULL,0,NULL);
INSERT INTO "operations" VALUES('op-e8c244f8d340','create','photos/gone','{"blueprint":"greenroom.yaml","machines":[],"branch":"gone","restore":[],"mounts":[],"shared":[]}','succeeded','2026-11-23 04:27:54.341507','2026-11-23 04:27:54.349223',0,NULL,NULL,NULL,0,NULL);
INSERT INTO "operations" VALUES('op-7d745353fe60','deploy','photos/feature-x','{"environment":"feature-x","types":[]}','succeeded','2026-11-23 04:27:54.352829','2026-11-23 04:27:54.360430',0,NULL,NULL,NULL,0,NULL);
INSERT INTO "operations" VALUES('op-dc90a2344bc4','destroy','photos/gone','{"environment":"gone","confirm":null}','succeeded','2026-11-23 04:27:54.364245','2026-11-23 04:27:54.372297',0,NULL,NULL,NULL,0,'{"environment":"photos/gone","removed":[{"kind":"cgroup","name":"photos.gone.backend1"},{"kind":"cgroup","name":"photos.gone.db1"},{"kind":"container","name":"photos.gone.backend1"},{"kind":"container","name":"photos.gone.db1"},{"kind":"directory","name":"volumes/photos.gone/db1"},{"kind":"dns file","name":"photos.gone.hosts"},{"kind":"link","name":"veth-10.213.2.10"},{"kind":"link","name":"veth-10.213.2.11"},{"kind":"link","name":"veth-10.213.2.70"},{"kind":"mount","name":"photos.gone.backend1"},{"kind":"mount","name":"photos.gone.db1"},{"kind":"network namespace","name":"photos.gone.backend1"},{"kind":"network namespace","name":"photos.gone.db1"},{"kind":"network namespace","name":"photos.gone.drill-db"},{"kind":"nft object","name":"environment photos.gone"},{"kind":"process","name":"photos.gone.backend1"},{"kind":"process","name":"photos.gone.db1"},{"kind":"proxy route","name":"api.gone.photos.localhost"}],"left_over":[],"seconds":0.000055926997447386384}');
CREATE UNIQUE INDEX operations_one_unfinished ON operations (environment) WHERE status IN ('queued', 'running');
CREATE INDEX intents_environment ON intents (environment);
COMMIT;
