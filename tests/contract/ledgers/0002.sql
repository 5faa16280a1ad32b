BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
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
INSERT INTO "environments" VALUES('photos/feature-x','photos','feature-x','feature_x',0,'5d54ccb7fe7d5b5181f05a300bbe18ad716d66dfdf3f62d7715dbe7db41f25fa','ready',0,'{"environment":{"stack":"photos","slug":"feature-x"},"branch":"feature_x","default_branch":"master","production":false,"domain":"feature-x.photos.internal","subnet":"10.213.0.0/24","groups":[{"name":"backend","description":"backend","ingress":[{"protocol":"tcp","ports":{"first":80,"last":80},"group":null,"network":"0.0.0.0/0","everywhere":false}],"tags":[["role","backend"]]},{"name":"db","description":"db","ingress":[{"protocol":"tcp","ports":{"first":3306,"last":3306},"group":"backend","network":null,"everywhere":false}],"tags":[["role","db"]]}],"images":[{"name":"web","digest":"web-digest","suite":"bookworm","packages":["web"],"files":[],"commands":[],"services":[]},{"name":"mariadb","digest":"mariadb-digest","suite":"bookworm","packages":["mariadb"],"files":[],"commands":[],"services":[]}],"machines":[{"name":"backend1","type":"backend","role":"backend","instance_id":"i-0123456789abcdef0","image":"web","instance_type":"t3.small","memory_mib":512,"pids":256,"address":"10.213.0.10","uid_base":805306368,"groups":["backend"],"tags":[["role","backend"]],"private_dns":"backend1.feature-x.photos.internal","dns_names":["backend1.feature-x.photos.internal"],"needs":[],"checks":[{"port":80,"deadline_s":30.0}],"instance_profile":null,"readable_buckets":[],"deadline_s":120.0,"signal_token":"token","user_data":"#!/bin/sh\n","endpoint":{"name":"api","port":80,"internal_host":"api.feature-x.photos.internal","local_host":"api.feature-x.photos.localhost","public_host":null},"deploy":{"bucket":"code","keys":["backend-feature_x.tar.gz","backend-master.tar.gz"],"directory":"/var/www/backend","restart":["php-fpm"],"keep":[]},"volume":null,"mount":null},{"name":"db1","type":"db","role":"db","instance_id":"i-0123456789abcdef0","image":"mariadb","instance_type":"t3.small","memory_mib":512,"pids":256,"address":"10.213.0.11","uid_base":805306368,"groups":["db"],"tags":[["role","db"]],"private_dns":"db1.feature-x.photos.internal","dns_names":["db1.feature-x.photos.internal"],"needs":[],"checks":[{"port":3306,"deadline_s":30.0}],"instance_profile":null,"readable_buckets":[],"deadline_s":120.0,"signal_token":"token","user_data":"#!/bin/sh\n","endpoint":null,"deploy":null,"volume":{"data_name":"db","engine":"mariadb","database":"photos","user":"photos","directory":"/data","service":"mariadb","mode":"clone","source":"extract","bucket":"extracts","manifest_key":"manifest.json"},"mount":null}],"drills":[{"name":"drill-db","type":"drill-db","role":"drill-db","instance_id":"i-0123456789abcdef0","image":"mariadb","instance_type":"t3.small","memory_mib":512,"pids":256,"address":"10.213.0.70","uid_base":805306368,"groups":["drill-db"],"tags":[["role","drill-db"]],"private_dns":"drill-db.drill.photos.internal","dns_names":["drill-db.drill.photos.internal"],"needs":[],"checks":[],"instance_profile":null,"readable_buckets":[],"deadline_s":120.0,"signal_token":"token","user_data":"#!/bin/sh\n","endpoint":null,"deploy":null,"volume":{"data_name":"db","engine":"mariadb","database":"photos","user":"photos","directory":"/data","service":"mariadb","mode":"clone","source":"extract","bucket":"extracts","manifest_key":"manifest.json"},"mount":null}],"buckets":[{"name":"code","path":"/srv/photos/code"},{"name":"extracts","path":"/srv/photos/extracts"}],"blueprint_path":"/srv/photos/greenroom.yaml","shared":false}','proved','{"at":"2026-11-23T04:27:36.497760Z","claims":[{"subject":"backend1","claim":"its checks pass","verdict":"proved","evidence":"it runs"},{"subject":"db1","claim":"its checks pass","verdict":"proved","evidence":"it runs"},{"subject":"db1","claim":"its data is restored and verified","verdict":"proved","evidence":"from extract"}],"flows":[{"source":"db1","target":"backend1","protocol":"tcp","port":80,"declared":true,"reach":"open","verdict":"proved","chosen":"declared"},{"source":"backend1","target":"db1","protocol":"tcp","port":3306,"declared":true,"reach":"open","verdict":"proved","chosen":"declared"},{"source":"photos/gone:backend1","target":"backend1","protocol":"tcp","port":80,"declared":false,"reach":"filtered","verdict":"proved","chosen":"declared"},{"source":"photos/gone:backend1","target":"db1","protocol":"tcp","port":3306,"declared":false,"reach":"filtered","verdict":"proved","chosen":"declared"},{"source":"photos/master:backend1","target":"backend1","protocol":"tcp","port":80,"declared":false,"reach":"filtered","verdict":"proved","chosen":"declared"},{"source":"photos/master:backend1","target":"db1","protocol":"tcp","port":3306,"declared":false,"reach":"filtered","verdict":"proved","chosen":"declared"}]}','[{"machine":"backend1","phases":[{"phase":"boot","machine":"backend1","seconds":0.001,"message":""},{"phase":"restore","machine":"backend1","seconds":0.001,"message":""},{"phase":"deploy","machine":"backend1","seconds":0.001,"message":""},{"phase":"services","machine":"backend1","seconds":0.001,"message":""},{"phase":"checks","machine":"backend1","seconds":0.001,"message":""}],"restore":null,"artifact":{"key":"backend-feature_x.tar.gz","sha256":"3ff6876b2b3ba1460b3910a57e5d0a5e36ac84ac681f843cce8a69ae4070efda","fallback":false},"notices":[]},{"machine":"db1","phases":[{"phase":"boot","machine":"db1","seconds":0.001,"message":""},{"phase":"restore","machine":"db1","seconds":0.001,"message":""},{"phase":"deploy","machine":"db1","seconds":0.001,"message":""},{"phase":"services","machine":"db1","seconds":0.001,"message":""},{"phase":"checks","machine":"db1","seconds":0.001,"message":""}],"restore":{"machine":"db1","source":"extract","mode":"clone","artefact_sha256":"0000000000000000000000000000000000000000000000000000000000000000","taken_at":"2026-11-21T03:00:00Z","verified_at":"2026-11-21T04:00:00Z","restore_s":2.0,"verify_s":0.5,"clone_s":0.004,"tables":[],"table_count":0,"row_count":0},"artifact":null,"notices":[]}]','op-8436f0ba31de','2026-11-23 04:27:36.368299','2026-11-23 04:27:36.432153');
INSERT INTO "environments" VALUES('photos/master','photos','master','master',1,'6b07d33250bc35c255357ab3dcbc2f247ccf64c6889d5becfe5b6b2eac87ed04','ready',1,'{"environment":{"stack":"photos","slug":"master"},"branch":"master","default_branch":"master","production":true,"domain":"master.photos.internal","subnet":"10.213.1.0/24","groups":[{"name":"backend","description":"backend","ingress":[{"protocol":"tcp","ports":{"first":80,"last":80},"group":null,"network":"0.0.0.0/0","everywhere":false}],"tags":[["role","backend"]]},{"name":"db","description":"db","ingress":[{"protocol":"tcp","ports":{"first":3306,"last":3306},"group":"backend","network":null,"everywhere":false}],"tags":[["role","db"]]}],"images":[{"name":"web","digest":"web-digest","suite":"bookworm","packages":["web"],"files":[],"commands":[],"services":[]},{"name":"mariadb","digest":"mariadb-digest","suite":"bookworm","packages":["mariadb"],"files":[],"commands":[],"services":[]}],"machines":[{"name":"backend1","type":"backend","role":"backend","instance_id":"i-0123456789abcdef0","image":"web","instance_type":"t3.small","memory_mib":512,"pids":256,"address":"10.213.1.10","uid_base":805306368,"groups":["backend"],"tags":[["role","backend"]],"private_dns":"backend1.master.photos.internal","dns_names":["backend1.master.photos.internal"],"needs":[],"checks":[{"port":80,"deadline_s":30.0}],"instance_profile":null,"readable_buckets":[],"deadline_s":120.0,"signal_token":"token","user_data":"#!/bin/sh\n","endpoint":{"name":"api","port":80,"internal_host":"api.master.photos.internal","local_host":"api.master.photos.localhost","public_host":null},"deploy":{"bucket":"code","keys":["backend-master.tar.gz","backend-master.tar.gz"],"directory":"/var/www/backend","restart":["php-fpm"],"keep":[]},"volume":null,"mount":null},{"name":"db1","type":"db","role":"db","instance_id":"i-0123456789abcdef0","image":"mariadb","instance_type":"t3.small","memory_mib":512,"pids":256,"address":"10.213.1.11","uid_base":805306368,"groups":["db"],"tags":[["role","db"]],"private_dns":"db1.master.photos.internal","dns_names":["db1.master.photos.internal"],"needs":[],"checks":[{"port":3306,"deadline_s":30.0}],"instance_profile":null,"readable_buckets":[],"deadline_s":120.0,"signal_token":"token","user_data":"#!/bin/sh\n","endpoint":null,"deploy":null,"volume":{"data_name":"db","engine":"mariadb","database":"photos","user":"photos","directory":"/data","service":"mariadb","mode":"clone","source":"extract","bucket":"extracts","manifest_key":"manifest.json"},"mount":null}],"drills":[{"name":"drill-db","type":"drill-db","role":"drill-db","instance_id":"i-0123456789abcdef0","image":"mariadb","instance_type":"t3.small","memory_mib":512,"pids":256,"address":"10.213.1.70","uid_base":805306368,"groups":["drill-db"],"tags":[["role","drill-db"]],"private_dns":"drill-db.drill.photos.internal","dns_names":["drill-db.drill.photos.internal"],"needs":[],"checks":[],"instance_profile":null,"readable_buckets":[],"deadline_s":120.0,"signal_token":"token","user_data":"#!/bin/sh\n","endpoint":null,"deploy":null,"volume":{"data_name":"db","engine":"mariadb","database":"photos","user":"photos","directory":"/data","service":"mariadb","mode":"clone","source":"extract","bucket":"extracts","manifest_key":"manifest.json"},"mount":null}],"buckets":[{"name":"code","path":"/srv/photos/code"},{"name":"extracts","path":"/srv/photos/extracts"}],"blueprint_path":"/srv/photos/greenroom.yaml","shared":false}','proved','{"at":"2026-11-23T04:27:36.457848Z","claims":[{"subject":"backend1","claim":"its checks pass","verdict":"proved","evidence":"it runs"},{"subject":"db1","claim":"its checks pass","verdict":"proved","evidence":"it runs"},{"subject":"db1","claim":"its data is restored and verified","verdict":"proved","evidence":"from extract"}],"flows":[{"source":"db1","target":"backend1","protocol":"tcp","port":80,"declared":true,"reach":"open","verdict":"proved","chosen":"declared"},{"source":"backend1","target":"db1","protocol":"tcp","port":3306,"declared":true,"reach":"open","verdict":"proved","chosen":"declared"},{"source":"photos/feature-x:backend1","target":"backend1","protocol":"tcp","port":80,"declared":false,"reach":"filtered","verdict":"proved","chosen":"declared"},{"source":"photos/feature-x:backend1","target":"db1","protocol":"tcp","port":3306,"declared":false,"reach":"filtered","verdict":"proved","chosen":"declared"}]}','[{"machine":"backend1","phases":[{"phase":"boot","machine":"backend1","seconds":0.001,"message":""},{"phase":"restore","machine":"backend1","seconds":0.001,"message":""},{"phase":"deploy","machine":"backend1","seconds":0.001,"message":""},{"phase":"services","machine":"backend1","seconds":0.001,"message":""},{"phase":"checks","machine":"backend1","seconds":0.001,"message":""}],"restore":null,"artifact":{"key":"backend-master.tar.gz","sha256":"a4c4e76b53fe55fbaa30d75dce2d0b59c5a708b16779674efa3035fbfce4e98a","fallback":false},"notices":[]},{"machine":"db1","phases":[{"phase":"boot","machine":"db1","seconds":0.001,"message":""},{"phase":"restore","machine":"db1","seconds":0.001,"message":""},{"phase":"deploy","machine":"db1","seconds":0.001,"message":""},{"phase":"services","machine":"db1","seconds":0.001,"message":""},{"phase":"checks","machine":"db1","seconds":0.001,"message":""}],"restore":{"machine":"db1","source":"extract","mode":"clone","artefact_sha256":"0000000000000000000000000000000000000000000000000000000000000000","taken_at":"2026-11-21T03:00:00Z","verified_at":"2026-11-21T04:00:00Z","restore_s":2.0,"verify_s":0.5,"clone_s":0.004,"tables":[],"table_count":0,"row_count":0},"artifact":null,"notices":[]}]','op-4caa3066e9e5','2026-11-23 04:27:36.442435','2026-11-23 04:27:36.458185');
INSERT INTO "environments" VALUES('photos/shared','photos','shared','master',2,'14886933ef5a9b823eca8742c0aba3279b94fafd8da4cc1ffcd4fbe5b6eb0bd0','ready',0,'{"environment":{"stack":"photos","slug":"shared"},"branch":"master","default_branch":"master","production":false,"domain":"shared.photos.internal","subnet":"10.213.2.0/24","groups":[{"name":"backend","description":"backend","ingress":[{"protocol":"tcp","ports":{"first":80,"last":80},"group":null,"network":"0.0.0.0/0","everywhere":false}],"tags":[["role","backend"]]},{"name":"db","description":"db","ingress":[{"protocol":"tcp","ports":{"first":3306,"last":3306},"group":"backend","network":null,"everywhere":false}],"tags":[["role","db"]]}],"images":[{"name":"web","digest":"web-digest","suite":"bookworm","packages":["web"],"files":[],"commands":[],"services":[]},{"name":"mariadb","digest":"mariadb-digest","suite":"bookworm","packages":["mariadb"],"files":[],"commands":[],"services":[]}],"machines":[{"name":"backend1","type":"backend","role":"backend","instance_id":"i-0123456789abcdef0","image":"web","instance_type":"t3.small","memory_mib":512,"pids":256,"address":"10.213.2.10","uid_base":805306368,"groups":["backend"],"tags":[["role","backend"]],"private_dns":"backend1.shared.photos.internal","dns_names":["backend1.shared.photos.internal"],"needs":[],"checks":[{"port":80,"deadline_s":30.0}],"instance_profile":null,"readable_buckets":[],"deadline_s":120.0,"signal_token":"token","user_data":"#!/bin/sh\n","endpoint":{"name":"api","port":80,"internal_host":"api.shared.photos.internal","local_host":"api.shared.photos.localhost","public_host":null},"deploy":{"bucket":"code","keys":["backend-master.tar.gz","backend-master.tar.gz"],"directory":"/var/www/backend","restart":["php-fpm"],"keep":[]},"volume":null,"mount":null},{"name":"db1","type":"db","role":"db","instance_id":"i-0123456789abcdef0","image":"mariadb","instance_type":"t3.small","memory_mib":512,"pids":256,"address":"10.213.2.11","uid_base":805306368,"groups":["db"],"tags":[["role","db"]],"private_dns":"db1.shared.photos.internal","dns_names":["db1.shared.photos.internal"],"needs":[],"checks":[{"port":3306,"deadline_s":30.0}],"instance_profile":null,"readable_buckets":[],"deadline_s":120.0,"signal_token":"token","user_data":"#!/bin/sh\n","endpoint":null,"deploy":null,"volume":{"data_name":"db","engine":"mariadb","database":"photos","user":"photos","directory":"/data","service":"mariadb","mode":"clone","source":"extract","bucket":"extracts","manifest_key":"manifest.json"},"mount":null}],"drills":[{"name":"drill-db","type":"drill-db","role":"drill-db","instance_id":"i-0123456789abcdef0","image":"mariadb","instance_type":"t3.small","memory_mib":512,"pids":256,"address":"10.213.2.70","uid_base":805306368,"groups":["drill-db"],"tags":[["role","drill-db"]],"private_dns":"drill-db.drill.photos.internal","dns_names":["drill-db.drill.photos.internal"],"needs":[],"checks":[],"instance_profile":null,"readable_buckets":[],"deadline_s":120.0,"signal_token":"token","user_data":"#!/bin/sh\n","endpoint":null,"deploy":null,"volume":{"data_name":"db","engine":"mariadb","database":"photos","user":"photos","directory":"/data","service":"mariadb","mode":"clone","source":"extract","bucket":"extracts","manifest_key":"manifest.json"},"mount":null}],"buckets":[{"name":"code","path":"/srv/photos/code"},{"name":"extracts","path":"/srv/photos/extracts"}],"blueprint_path":"/srv/photos/greenroom.yaml","shared":true}','proved','{"at":"2026-11-23T04:27:36.555473Z","claims":[{"subject":"backend1","claim":"its checks pass","verdict":"proved","evidence":"it runs"},{"subject":"db1","claim":"its checks pass","verdict":"proved","evidence":"it runs"},{"subject":"db1","claim":"its data is restored and verified","verdict":"proved","evidence":"from extract"}],"flows":[{"source":"db1","target":"backend1","protocol":"tcp","port":80,"declared":true,"reach":"open","verdict":"proved","chosen":"declared"},{"source":"backend1","target":"db1","protocol":"tcp","port":3306,"declared":true,"reach":"open","verdict":"proved","chosen":"declared"},{"source":"photos/feature-x:backend1","target":"backend1","protocol":"tcp","port":80,"declared":false,"reach":"filtered","verdict":"proved","chosen":"declared"},{"source":"photos/feature-x:backend1","target":"db1","protocol":"tcp","port":3306,"declared":false,"reach":"filtered","verdict":"proved","chosen":"declared"},{"source":"photos/master:backend1","target":"backend1","protocol":"tcp","port":80,"declared":false,"reach":"filtered","verdict":"proved","chosen":"declared"},{"source":"photos/master:backend1","target":"db1","protocol":"tcp","port":3306,"declared":false,"reach":"filtered","verdict":"proved","chosen":"declared"}]}','[{"machine":"backend1","phases":[{"phase":"boot","machine":"backend1","seconds":0.001,"message":""},{"phase":"restore","machine":"backend1","seconds":0.001,"message":""},{"phase":"deploy","machine":"backend1","seconds":0.001,"message":""},{"phase":"services","machine":"backend1","seconds":0.001,"message":""},{"phase":"checks","machine":"backend1","seconds":0.001,"message":""}],"restore":null,"artifact":{"key":"backend-master.tar.gz","sha256":"a4c4e76b53fe55fbaa30d75dce2d0b59c5a708b16779674efa3035fbfce4e98a","fallback":false},"notices":[]},{"machine":"db1","phases":[{"phase":"boot","machine":"db1","seconds":0.001,"message":""},{"phase":"restore","machine":"db1","seconds":0.001,"message":""},{"phase":"deploy","machine":"db1","seconds":0.001,"message":""},{"phase":"services","machine":"db1","seconds":0.001,"message":""},{"phase":"checks","machine":"db1","seconds":0.001,"message":""}],"restore":{"machine":"db1","source":"extract","mode":"clone","artefact_sha256":"0000000000000000000000000000000000000000000000000000000000000000","taken_at":"2026-11-21T03:00:00Z","verified_at":"2026-11-21T04:00:00Z","restore_s":2.0,"verify_s":0.5,"clone_s":0.004,"tables":[],"table_count":0,"row_count":0},"artifact":null,"notices":[]}]','op-b074623c9c54','2026-11-23 04:27:36.534838','2026-11-23 04:27:36.555800');
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
INSERT INTO "events" VALUES('op-8436f0ba31de',1,'2026-11-23 04:27:36.420215','phase-started','images',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',2,'2026-11-23 04:27:36.426067','notice','',NULL,'image web was built',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',3,'2026-11-23 04:27:36.426366','notice','',NULL,'image mariadb was built',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',4,'2026-11-23 04:27:36.426739','phase-done','images',NULL,'',0.00106367399712326,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',5,'2026-11-23 04:27:36.426971','phase-started','volumes',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',6,'2026-11-23 04:27:36.427041','notice','','drill-db','the golden volume was made',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',7,'2026-11-23 04:27:36.427064','phase-done','volumes',NULL,'',7.37920054234564304351e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',8,'2026-11-23 04:27:36.427127','phase-started','network',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',9,'2026-11-23 04:27:36.427234','phase-done','network',NULL,'',7.84689982538111507892e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',10,'2026-11-23 04:27:36.427371','phase-started','machines',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',11,'2026-11-23 04:27:36.427467','phase-started','boot','backend1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',12,'2026-11-23 04:27:36.427549','phase-done','boot','backend1','',0.001,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',13,'2026-11-23 04:27:36.427564','phase-started','boot','db1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',14,'2026-11-23 04:27:36.427606','phase-done','boot','db1','',0.001,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',15,'2026-11-23 04:27:36.427748','phase-done','machines',NULL,'',3.54317999153863638639e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',16,'2026-11-23 04:27:36.427894','phase-started','proof',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',17,'2026-11-23 04:27:36.431894','phase-done','proof',NULL,'',3.98053599928971379995e-03,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',18,'2026-11-23 04:27:36.432058','phase-started','publish',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',19,'2026-11-23 04:27:36.432117','phase-done','publish',NULL,'',3.94200033042579889297e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-8436f0ba31de',20,'2026-11-23 04:27:36.432187','result','',NULL,'photos/feature-x is proved',NULL,'succeeded',NULL,NULL,0);
INSERT INTO "events" VALUES('op-4caa3066e9e5',1,'2026-11-23 04:27:36.455022','phase-started','images',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',2,'2026-11-23 04:27:36.456075','phase-done','images',NULL,'',4.38526003563310950994e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',3,'2026-11-23 04:27:36.456269','phase-started','volumes',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',4,'2026-11-23 04:27:36.456343','phase-done','volumes',NULL,'',5.29030003235675394535e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',5,'2026-11-23 04:27:36.456463','phase-started','network',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',6,'2026-11-23 04:27:36.456564','phase-done','network',NULL,'',8.09619959909468889236e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',7,'2026-11-23 04:27:36.456691','phase-started','machines',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',8,'2026-11-23 04:27:36.456774','phase-started','boot','backend1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',9,'2026-11-23 04:27:36.456853','phase-done','boot','backend1','',0.001,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',10,'2026-11-23 04:27:36.456866','phase-started','boot','db1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',11,'2026-11-23 04:27:36.456906','phase-done','boot','db1','',0.001,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',12,'2026-11-23 04:27:36.456975','phase-done','machines',NULL,'',2.63404996076133102178e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',13,'2026-11-23 04:27:36.457119','phase-started','proof',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',14,'2026-11-23 04:27:36.457995','phase-done','proof',NULL,'',8.58711995533667504787e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',15,'2026-11-23 04:27:36.458115','phase-started','publish',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',16,'2026-11-23 04:27:36.458157','phase-done','publish',NULL,'',2.74310004897415637969e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-4caa3066e9e5',17,'2026-11-23 04:27:36.458213','result','',NULL,'photos/master is proved',NULL,'succeeded',NULL,NULL,0);
INSERT INTO "events" VALUES('op-dbe572dd91c4',1,'2026-11-23 04:27:36.474894','phase-started','images',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',2,'2026-11-23 04:27:36.475942','phase-done','images',NULL,'',5.28131997270975261926e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',3,'2026-11-23 04:27:36.476127','phase-started','volumes',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',4,'2026-11-23 04:27:36.476182','phase-done','volumes',NULL,'',3.51330018020235e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',5,'2026-11-23 04:27:36.476227','phase-started','network',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',6,'2026-11-23 04:27:36.476320','phase-done','network',NULL,'',7.58680034778080880641e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',7,'2026-11-23 04:27:36.476889','phase-started','machines',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',8,'2026-11-23 04:27:36.476981','phase-started','boot','backend1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',9,'2026-11-23 04:27:36.477059','phase-done','boot','backend1','',0.001,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',10,'2026-11-23 04:27:36.477072','phase-started','boot','db1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',11,'2026-11-23 04:27:36.477112','phase-done','boot','db1','',0.001,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',12,'2026-11-23 04:27:36.477174','phase-done','machines',NULL,'',2.59423002717085182666e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',13,'2026-11-23 04:27:36.477297','phase-started','proof',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',14,'2026-11-23 04:27:36.478630','phase-done','proof',NULL,'',1.31610299285966902971e-03,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',15,'2026-11-23 04:27:36.478752','phase-started','publish',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',16,'2026-11-23 04:27:36.478788','phase-done','publish',NULL,'',2.2389001969713717699e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-dbe572dd91c4',17,'2026-11-23 04:27:36.479344','result','',NULL,'photos/gone is proved',NULL,'succeeded',NULL,NULL,0);
INSERT INTO "events" VALUES('op-0de839c798a2',1,'2026-11-23 04:27:36.495497','phase-started','deploy','backend1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0de839c798a2',2,'2026-11-23 04:27:36.496431','phase-done','deploy','backend1','',1.89414997294079512357e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0de839c798a2',3,'2026-11-23 04:27:36.497130','phase-started','proof',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0de839c798a2',4,'2026-11-23 04:27:36.497913','phase-done','proof',NULL,'',7.4157299968646839261e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-0de839c798a2',5,'2026-11-23 04:27:36.498080','result','',NULL,'photos/feature-x is proved',NULL,'succeeded',NULL,NULL,0);
INSERT INTO "events" VALUES('op-bbd7063614b1',1,'2026-11-23 04:27:36.517207','phase-started','destroy',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-bbd7063614b1',2,'2026-11-23 04:27:36.519252','phase-done','destroy',NULL,'',1.42264799796976149082e-03,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-bbd7063614b1',3,'2026-11-23 04:27:36.519407','result','',NULL,'photos/gone is gone: 18 removed, 0 left over',NULL,'succeeded',NULL,NULL,0);
INSERT INTO "events" VALUES('op-b074623c9c54',1,'2026-11-23 04:27:36.552146','phase-started','images',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',2,'2026-11-23 04:27:36.553313','phase-done','images',NULL,'',4.82295996334869414567e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',3,'2026-11-23 04:27:36.553613','phase-started','volumes',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',4,'2026-11-23 04:27:36.553710','phase-done','volumes',NULL,'',6.15660028415732085704e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',5,'2026-11-23 04:27:36.553829','phase-started','network',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',6,'2026-11-23 04:27:36.553973','phase-done','network',NULL,'',1.04008999187499284744e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',7,'2026-11-23 04:27:36.554200','phase-started','machines',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',8,'2026-11-23 04:27:36.554292','phase-started','boot','backend1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',9,'2026-11-23 04:27:36.554375','phase-done','boot','backend1','',0.001,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',10,'2026-11-23 04:27:36.554386','phase-started','boot','db1','',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',11,'2026-11-23 04:27:36.554428','phase-done','boot','db1','',0.001,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',12,'2026-11-23 04:27:36.554497','phase-done','machines',NULL,'',2.73202000244054943323e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',13,'2026-11-23 04:27:36.554615','phase-started','proof',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',14,'2026-11-23 04:27:36.555620','phase-done','proof',NULL,'',9.90230997558683156967e-04,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',15,'2026-11-23 04:27:36.555733','phase-started','publish',NULL,'',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',16,'2026-11-23 04:27:36.555772','phase-done','publish',NULL,'',2.45529954554513096809e-05,NULL,NULL,NULL,NULL);
INSERT INTO "events" VALUES('op-b074623c9c54',17,'2026-11-23 04:27:36.555829','result','',NULL,'photos/shared is proved',NULL,'succeeded',NULL,NULL,0);
CREATE TABLE incidents (
	id INTEGER NOT NULL, 
	environment VARCHAR(80) NOT NULL, 
	at DATETIME NOT NULL, 
	subject VARCHAR(128) NOT NULL, 
	message TEXT NOT NULL, 
	away_s FLOAT, 
	PRIMARY KEY (id)
);
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
INSERT INTO "intents" VALUES('op-8436f0ba31de','cgroup','photos.feature-x.backend1','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','cgroup','photos.feature-x.db1','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','container','photos.feature-x.backend1','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','container','photos.feature-x.db1','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','directory','volumes/photos.feature-x/db1','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','dns file','photos.feature-x.hosts','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','link','veth-10.213.0.10','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','link','veth-10.213.0.11','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','link','veth-10.213.0.70','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','mount','photos.feature-x.backend1','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','mount','photos.feature-x.db1','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','network namespace','photos.feature-x.backend1','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','network namespace','photos.feature-x.db1','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','network namespace','photos.feature-x.drill-db','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','nft object','environment photos.feature-x','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','process','photos.feature-x.backend1','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','process','photos.feature-x.db1','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-8436f0ba31de','proxy route','api.feature-x.photos.localhost','photos/feature-x','2026-11-23 04:27:36.368299',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','cgroup','photos.master.backend1','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','cgroup','photos.master.db1','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','container','photos.master.backend1','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','container','photos.master.db1','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','directory','volumes/photos.master/db1','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','dns file','photos.master.hosts','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','link','veth-10.213.1.10','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','link','veth-10.213.1.11','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','link','veth-10.213.1.70','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','mount','photos.master.backend1','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','mount','photos.master.db1','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','network namespace','photos.master.backend1','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','network namespace','photos.master.db1','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','network namespace','photos.master.drill-db','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','nft object','environment photos.master','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','process','photos.master.backend1','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','process','photos.master.db1','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-4caa3066e9e5','proxy route','api.master.photos.localhost','photos/master','2026-11-23 04:27:36.442435',NULL);
INSERT INTO "intents" VALUES('op-dbe572dd91c4','cgroup','photos.gone.backend1','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','cgroup','photos.gone.db1','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','container','photos.gone.backend1','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','container','photos.gone.db1','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','directory','volumes/photos.gone/db1','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','dns file','photos.gone.hosts','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','link','veth-10.213.2.10','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','link','veth-10.213.2.11','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','link','veth-10.213.2.70','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','mount','photos.gone.backend1','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','mount','photos.gone.db1','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','network namespace','photos.gone.backend1','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','network namespace','photos.gone.db1','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','network namespace','photos.gone.drill-db','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','nft object','environment photos.gone','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','process','photos.gone.backend1','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','process','photos.gone.db1','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-dbe572dd91c4','proxy route','api.gone.photos.localhost','photos/gone','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.519395');
INSERT INTO "intents" VALUES('op-b074623c9c54','cgroup','photos.shared.backend1','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','cgroup','photos.shared.db1','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','container','photos.shared.backend1','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','container','photos.shared.db1','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','directory','volumes/photos.shared/db1','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','dns file','photos.shared.hosts','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','link','veth-10.213.2.10','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','link','veth-10.213.2.11','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','link','veth-10.213.2.70','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','mount','photos.shared.backend1','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','mount','photos.shared.db1','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','network namespace','photos.shared.backend1','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','network namespace','photos.shared.db1','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','network namespace','photos.shared.drill-db','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','nft object','environment photos.shared','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','process','photos.shared.backend1','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','process','photos.shared.db1','photos/shared','2026-11-23 04:27:36.534838',NULL);
INSERT INTO "intents" VALUES('op-b074623c9c54','proxy route','api.shared.photos.localhost','photos/shared','2026-11-23 04:27:36.534838',NULL);
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
INSERT INTO "operations" VALUES('op-8436f0ba31de','create','photos/feature-x','{"blueprint":"greenroom.yaml","machines":[],"branch":"feature_x","restore":[],"mounts":[],"shared":[]}','succeeded','2026-11-23 04:27:36.368299','2026-11-23 04:27:36.432177',0,NULL,NULL,NULL,0,NULL);
INSERT INTO "operations" VALUES('op-4caa3066e9e5','create','photos/master','{"blueprint":"greenroom.yaml","machines":[],"branch":"master","restore":[],"mounts":[],"shared":[]}','succeeded','2026-11-23 04:27:36.442435','2026-11-23 04:27:36.458204',0,NULL,NULL,NULL,0,NULL);
INSERT INTO "operations" VALUES('op-dbe572dd91c4','create','photos/gone','{"blueprint":"greenroom.yaml","machines":[],"branch":"gone","restore":[],"mounts":[],"shared":[]}','succeeded','2026-11-23 04:27:36.466700','2026-11-23 04:27:36.478833',0,NULL,NULL,NULL,0,NULL);
INSERT INTO "operations" VALUES('op-0de839c798a2','deploy','photos/feature-x','{"environment":"feature-x","types":[]}','succeeded','2026-11-23 04:27:36.484114','2026-11-23 04:27:36.498070',0,NULL,NULL,NULL,0,NULL);
INSERT INTO "operations" VALUES('op-bbd7063614b1','destroy','photos/gone','{"environment":"gone","confirm":null}','succeeded','2026-11-23 04:27:36.503963','2026-11-23 04:27:36.519398',0,NULL,NULL,NULL,0,'{"environment":"photos/gone","removed":[{"kind":"cgroup","name":"photos.gone.backend1"},{"kind":"cgroup","name":"photos.gone.db1"},{"kind":"container","name":"photos.gone.backend1"},{"kind":"container","name":"photos.gone.db1"},{"kind":"directory","name":"volumes/photos.gone/db1"},{"kind":"dns file","name":"photos.gone.hosts"},{"kind":"link","name":"veth-10.213.2.10"},{"kind":"link","name":"veth-10.213.2.11"},{"kind":"link","name":"veth-10.213.2.70"},{"kind":"mount","name":"photos.gone.backend1"},{"kind":"mount","name":"photos.gone.db1"},{"kind":"network namespace","name":"photos.gone.backend1"},{"kind":"network namespace","name":"photos.gone.db1"},{"kind":"network namespace","name":"photos.gone.drill-db"},{"kind":"nft object","name":"environment photos.gone"},{"kind":"process","name":"photos.gone.backend1"},{"kind":"process","name":"photos.gone.db1"},{"kind":"proxy route","name":"api.gone.photos.localhost"}],"left_over":[],"seconds":0.00006765499711036682}');
INSERT INTO "operations" VALUES('op-b074623c9c54','create','photos/shared','{"blueprint":"greenroom.yaml","machines":[],"branch":null,"restore":[],"mounts":[],"shared":["metrics"]}','succeeded','2026-11-23 04:27:36.534838','2026-11-23 04:27:36.555819',0,NULL,NULL,NULL,0,NULL);
CREATE UNIQUE INDEX operations_one_unfinished ON operations (environment) WHERE status IN ('queued', 'running');
CREATE INDEX intents_environment ON intents (environment);
CREATE INDEX incidents_environment ON incidents (environment, at);
COMMIT;
